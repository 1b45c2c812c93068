#include <charconv>

#include "parser/syntax/builder.h"
#include "parser/syntax/level.h"

namespace millrace::inline parser {
namespace {

using P = grammar::MillraceParser;

ast::CompareOp compare_op(P::ComparatorContext* context) {
  switch (context->getStart()->getType()) {
    case P::EQ:
      return ast::CompareOp::equal;
    case P::LT:
      return ast::CompareOp::less;
    case P::LTE:
      return ast::CompareOp::less_equal;
    case P::GT:
      return ast::CompareOp::greater;
    case P::GTE:
      return ast::CompareOp::greater_equal;
    default:
      return ast::CompareOp::not_equal;
  }
}

ast::BinaryOp binary_op(antlr4::Token* op) {
  switch (op->getType()) {
    case P::PLUS:
      return ast::BinaryOp::add;
    case P::MINUS:
      return ast::BinaryOp::subtract;
    case P::STAR:
      return ast::BinaryOp::multiply;
    case P::SLASH:
      return ast::BinaryOp::divide;
    case P::PERCENT:
      return ast::BinaryOp::modulo;
    default:
      return ast::BinaryOp::concat;
  }
}

/// The number behind a sign, when nothing but a number stands there: `-5` is a literal, `-(5)` and `-5[1]` are not.
P::NumberContext* bare_number(P::OperandContext* context) {
  auto* plain = dynamic_cast<P::PlainOperandContext*>(context);
  auto* literal = plain != nullptr ? dynamic_cast<P::LiteralPrimaryContext*>(plain->primary()) : nullptr;
  return literal != nullptr ? literal->literal()->number() : nullptr;
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

ast::ExprPtr Builder::expression(P::ExpressionContext* context) {
  const Level level(*this, context);
  const Span at = span(context);
  if (auto* plain = dynamic_cast<P::PlainPredicateContext*>(context)) return predicate(plain->predicate());
  if (auto* negation = dynamic_cast<P::NegationContext*>(context)) {
    return make(ast::Unary{ast::UnaryOp::logical_not, expression(negation->expression())}, at);
  }
  if (auto* both = dynamic_cast<P::ConjunctionContext*>(context)) {
    return make(
        ast::Binary{ast::BinaryOp::logical_and, expression(both->expression(0)), expression(both->expression(1))}, at);
  }
  auto* either = dynamic_cast<P::DisjunctionContext*>(context);
  return make(
      ast::Binary{ast::BinaryOp::logical_or, expression(either->expression(0)), expression(either->expression(1))}, at);
}

ast::ExprPtr Builder::predicate(P::PredicateContext* context) {
  ast::ExprPtr left = operand(context->operand());
  if (context->condition() == nullptr) return left;
  return condition(context->condition(), left, span(context));
}

ast::ExprPtr Builder::condition(P::ConditionContext* context, const ast::ExprPtr& left, const Span& at) {
  if (auto* test = dynamic_cast<P::ComparisonContext*>(context)) {
    const bool bang = test->comparator()->BANG_EQ() != nullptr;
    return make(ast::Comparison{compare_op(test->comparator()), left, operand(test->operand()), bang}, at);
  }
  if (auto* test = dynamic_cast<P::DistinctTestContext*>(context)) {
    const auto op = test->NOT() != nullptr ? ast::CompareOp::not_distinct_from : ast::CompareOp::distinct_from;
    return make(ast::Comparison{op, left, operand(test->operand())}, at);
  }
  if (auto* test = dynamic_cast<P::BetweenContext*>(context)) {
    return make(ast::Between{left, operand(test->low), operand(test->high), test->NOT() != nullptr}, at);
  }
  if (auto* test = dynamic_cast<P::MembershipContext*>(context)) {
    return make(ast::In{left, expressions(test->expression()), test->NOT() != nullptr}, at);
  }
  if (auto* test = dynamic_cast<P::QueryMembershipContext*>(context)) {
    return make(ast::In{left, {}, test->NOT() != nullptr, query(test->query())}, at);
  }
  if (auto* test = dynamic_cast<P::NullTestContext*>(context)) {
    return make(ast::IsNull{left, test->NOT() != nullptr}, at);
  }
  auto* test = dynamic_cast<P::LikeContext*>(context);
  ast::Like like{left, operand(test->operand()), std::nullopt, test->NOT() != nullptr};
  if (test->STRING() != nullptr) {
    like.escape = string(test->STRING());
    if (characters(*like.escape) != 1) {
      throw SqlError(Code::invalid_literal, span(test->STRING()->getSymbol()), "ESCAPE takes exactly one character",
                     ErrorClass::parse);
    }
  }
  return make(std::move(like), at);
}

ast::ExprPtr Builder::operand(P::OperandContext* context) {
  const Level level(*this, context);
  if (auto* plain = dynamic_cast<P::PlainOperandContext*>(context)) return primary(plain->primary());
  if (auto* with_sign = dynamic_cast<P::SignedContext*>(context)) return signed_operand(with_sign);
  const Span at = span(context);
  if (auto* product = dynamic_cast<P::ProductContext*>(context)) {
    return make(ast::Binary{binary_op(product->op), operand(product->left), operand(product->right)}, at);
  }
  auto* sum = dynamic_cast<P::SumContext*>(context);
  return make(ast::Binary{binary_op(sum->op), operand(sum->left), operand(sum->right)}, at);
}

ast::ExprPtr Builder::signed_operand(P::SignedContext* context) {
  const bool negative = context->sign->getType() == P::MINUS;
  auto* digits = negative ? bare_number(context->operand()) : nullptr;
  if (digits != nullptr) return number(digits, true, span(context));
  return make(ast::Unary{negative ? ast::UnaryOp::negate : ast::UnaryOp::plus, operand(context->operand())},
              span(context));
}

ast::ExprPtr Builder::primary(P::PrimaryContext* context) {
  const Level level(*this, context);
  if (auto* column = dynamic_cast<P::ColumnReferenceContext*>(context)) return column_reference(column);
  if (auto* value = dynamic_cast<P::LiteralPrimaryContext*>(context)) return literal(value->literal());
  if (auto* function = dynamic_cast<P::CallContext*>(context)) return call(function);
  if (auto* inner = dynamic_cast<P::ParenthesizedContext*>(context)) return expression(inner->expression());
  if (auto* choice = dynamic_cast<P::CaseExpressionContext*>(context)) return case_expression(choice);
  if (auto* cast = dynamic_cast<P::CastContext*>(context)) {
    return make(ast::Cast{expression(cast->expression()), data_type(cast->dataType())}, span(context));
  }
  if (auto* exists = dynamic_cast<P::ExistsContext*>(context))
    return make(ast::Exists{query(exists->query())}, span(context));
  if (auto* scalar = dynamic_cast<P::ScalarQueryContext*>(context))
    return make(ast::ScalarQuery{query(scalar->query())}, span(context));
  if (auto* length = dynamic_cast<P::IntervalContext*>(context)) return interval(length);
  if (ast::ExprPtr built = postfix(context)) return built;
  return constructor(context);
}

ast::ExprPtr Builder::postfix(P::PrimaryContext* context) {
  const Span at = span(context);
  if (auto* access = dynamic_cast<P::FieldAccessContext*>(context)) {
    return make(ast::FieldAccess{primary(access->primary()), name(access->name())}, at);
  }
  if (auto* access = dynamic_cast<P::SubscriptContext*>(context)) {
    return make(ast::Subscript{primary(access->primary()), operand(access->operand())}, at);
  }
  if (auto* zoned = dynamic_cast<P::AtTimeZoneContext*>(context)) {
    return make(ast::AtTimeZone{primary(zoned->primary(0)), primary(zoned->primary(1))}, at);
  }
  return nullptr;
}

ast::ExprPtr Builder::constructor(P::PrimaryContext* context) {
  const Span at = span(context);
  if (auto* array = dynamic_cast<P::ArrayConstructorContext*>(context)) {
    return make(ast::ArrayConstructor{expressions(array->expression())}, at);
  }
  if (auto* map = dynamic_cast<P::MapConstructorContext*>(context)) {
    ast::MapConstructor built;
    for (auto* entry : map->mapEntry()) {
      built.entries.emplace_back(expression(entry->expression(0)), expression(entry->expression(1)));
    }
    return make(std::move(built), at);
  }
  ast::StructConstructor built;
  for (auto* entry : dynamic_cast<P::StructConstructorContext*>(context)->structEntry()) {
    built.fields.emplace_back(name(entry->name()), expression(entry->expression()));
  }
  return make(std::move(built), at);
}

ast::ExprPtr Builder::case_expression(P::CaseExpressionContext* context) {
  ast::Case choice;
  if (context->subject != nullptr) choice.operand = expression(context->subject);
  for (auto* when : context->whenClause()) {
    choice.whens.push_back({expression(when->expression(0)), expression(when->expression(1)), span(when)});
  }
  if (context->otherwise != nullptr) choice.otherwise = expression(context->otherwise);
  return make(std::move(choice), span(context));
}

ast::ExprPtr Builder::interval(P::IntervalContext* context) {
  ast::Interval made{.count = 0, .unit = word(context->unit())};
  if (context->INTEGER_VALUE() != nullptr) {
    made.count = integer(context->INTEGER_VALUE()->getSymbol());
    return make(std::move(made), span(context));
  }
  const std::string digits = string(context->STRING());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), made.count);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    throw SqlError(Code::invalid_literal, span(context->STRING()->getSymbol()),
                   "An INTERVAL takes a whole number: INTERVAL '10' SECONDS", ErrorClass::parse);
  }
  return make(std::move(made), span(context));
}

ast::ExprPtr Builder::call(P::CallContext* context) {
  ast::Call call;
  call.name = name(context->name());
  call.star = context->STAR() != nullptr;
  for (auto* item : context->argument()) call.arguments.push_back(argument(item));
  call.modifiers = modifiers(context);
  return make(std::move(call), span(context));
}

std::shared_ptr<const ast::CallModifiers> Builder::modifiers(P::CallContext* context) {
  ast::CallModifiers made;
  made.distinct = context->CALL_DISTINCT() != nullptr;
  if (auto* order = context->callOrder()) {
    for (auto* item : order->sortItem()) made.order_by.push_back(sort_item(item));
    if (order->INTEGER_VALUE() != nullptr) made.limit = integer(order->INTEGER_VALUE()->getSymbol());
  }
  if (context->nullTreatment() != nullptr) made.ignore_nulls = context->nullTreatment()->kind->getType() == P::IGNORE;
  if (context->filter() != nullptr) made.filter = expression(context->filter()->expression());
  if (auto* window = context->over()) {
    if (window->windowSpec() != nullptr) {
      made.over = over(window->windowSpec());
    } else {
      made.over.emplace();
      made.over->base = name(window->name());
      made.over->span = span(window->name());
    }
  }
  const bool none = !made.distinct && !context->callOrder() && !made.ignore_nulls && !made.filter && !made.over;
  if (none) return nullptr;
  made.span = span(context);
  return std::make_shared<const ast::CallModifiers>(std::move(made));
}

ast::Over Builder::over(P::WindowSpecContext* context) {
  ast::Over over;
  if (context->base != nullptr) over.base = name(context->base);
  over.partition = expressions(context->expression());
  for (auto* item : context->sortItem()) over.order.push_back(sort_item(item));
  if (context->frame() != nullptr) over.frame = frame(context->frame());
  over.span = span(context);
  return over;
}

ast::Frame Builder::frame(P::FrameContext* context) {
  ast::Frame frame;
  frame.range = context->unit_->getType() == P::RANGE;
  frame.start = bound(context->bound(0));
  if (context->bound().size() == 2) frame.end = bound(context->bound(1));
  frame.span = span(context);
  return frame;
}

ast::FrameBound Builder::bound(P::BoundContext* context) {
  using Kind = ast::FrameBound::Kind;
  ast::FrameBound bound;
  bound.span = span(context);
  if (context->direction == nullptr) return bound;
  const bool before = context->direction->getType() == P::PRECEDING;
  if (context->UNBOUNDED() != nullptr) {
    bound.kind = before ? Kind::unbounded_preceding : Kind::unbounded_following;
    return bound;
  }
  bound.kind = before ? Kind::preceding : Kind::following;
  if (context->duration() != nullptr) {
    bound.distance = duration(context->duration());
  } else if (context->INTEGER_VALUE() != nullptr) {
    bound.distance = integer(context->INTEGER_VALUE()->getSymbol());
  } else {
    bound.distance = std::stod(context->DECIMAL_VALUE()->getText());
  }
  return bound;
}

ast::ExprPtr Builder::column_reference(P::ColumnReferenceContext* context) {
  if (context->name().size() == 1) return make(ast::ColumnRef{std::nullopt, name(context->name(0))}, span(context));
  return make(ast::ColumnRef{name(context->name(0)), name(context->name(1))}, span(context));
}

ast::ExprPtr Builder::argument(P::ArgumentContext* context) {
  if (context->unit() != nullptr) return make(ast::IntervalUnit{word(context)}, span(context));
  if (context->lambda() != nullptr) return lambda(context->lambda());
  return expression(context->expression());
}

ast::ExprPtr Builder::lambda(P::LambdaContext* context) {
  ast::Lambda lambda;
  for (auto* parameter : context->name()) lambda.parameters.push_back(name(parameter));
  lambda.body = expression(context->expression());
  return make(std::move(lambda), span(context));
}

std::vector<ast::ExprPtr> Builder::expressions(const std::vector<P::ExpressionContext*>& contexts) {
  std::vector<ast::ExprPtr> all;
  all.reserve(contexts.size());
  for (auto* context : contexts) all.push_back(expression(context));
  return all;
}

}  // namespace millrace::inline parser
