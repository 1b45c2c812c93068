#include <limits>

#include "parser/ast/time_unit.h"
#include "parser/ast/within_from.h"
#include "parser/syntax/builder.h"
#include "parser/syntax/level.h"

namespace millrace::inline parser {
namespace {

using P = grammar::MillraceParser;

/// As long as all times that records can have.
constexpr std::int64_t kLongestDuration = 253'402'300'799'999;

ast::JoinKind join_kind(P::JoinKindContext* context) {
  if (context == nullptr || context->INNER() != nullptr) return ast::JoinKind::inner;
  if (context->LEFT() != nullptr) return ast::JoinKind::left;
  return context->RIGHT() != nullptr ? ast::JoinKind::right : ast::JoinKind::full;
}

ast::Emit emit(P::QueryContext* context) {
  if (context->EMIT() == nullptr) return ast::Emit::none;
  if (context->CHANGES() != nullptr) return ast::Emit::changes;
  return context->FINAL() != nullptr ? ast::Emit::final : ast::Emit::none;
}

/// Whether `->` could follow: names, calls, constructors and the like, but no operator or condition.
bool is_primary(P::ExpressionContext* context) {
  auto* plain = dynamic_cast<P::PlainPredicateContext*>(context);
  return plain != nullptr && plain->predicate()->condition() == nullptr &&
         dynamic_cast<P::PlainOperandContext*>(plain->predicate()->operand()) != nullptr;
}

ast::Query combined(ast::Query left, ast::SetOperation operation, ast::Query right) {
  if (!left.branches.empty() && left.combine != operation) left = ast::within_from(std::move(left));
  if (!right.branches.empty()) right = ast::within_from(std::move(right));
  left.combine = operation;
  left.branches.push_back(std::make_shared<const ast::Query>(std::move(right)));
  return left;
}

ast::SetOperation set_operation(P::SetOperatorContext* context) {
  if (context->EXCEPT() != nullptr) return ast::SetOperation::except;
  if (context->INTERSECT() != nullptr) return ast::SetOperation::intersect;
  return context->ALL() != nullptr ? ast::SetOperation::union_all : ast::SetOperation::union_distinct;
}

}  // namespace

ast::QueryPtr Builder::query(P::QueryContext* context) {
  const Level level(*this, context);
  ast::Query query = terms(context);
  query.span = span(context);
  for (auto* named : context->cte()) query.with.push_back(named_query(named));
  for (auto* item : context->sortItem()) query.order_by.push_back(sort_item(item));
  query.emit = emit(context);
  if (context->every != nullptr) query.every = duration(context->every);
  query.final_grace = grace(context->gracePeriod());
  if (context->lateInto() != nullptr) query.late_into = name(context->lateInto()->name());
  if (context->limit() != nullptr) query.limit = limit(context->limit());
  if (context->offset() != nullptr) page(context->offset(), query);
  return std::make_shared<const ast::Query>(std::move(query));
}

/// From left to right, INTERSECT first. One operation after another of the same kind is one list of branches; where
/// they differ, what stands left is a query in FROM.
ast::Query Builder::terms(P::QueryContext* context) {
  constexpr std::size_t kMostOperations = 1000, kMostChanges = 50;
  if (context->setOperator().size() > kMostOperations)
    throw SqlError(Code::invalid_statement, span(context->setOperator(kMostOperations)),
                   "A query has up to 1000 UNION, EXCEPT and INTERSECT.", ErrorClass::parse);
  std::vector<ast::Query> operands{term(context->term(0))};
  std::vector<ast::SetOperation> operations;
  std::size_t changes = 0;  // of the operation: each makes the tree deeper
  for (std::size_t i = 0; i < context->setOperator().size(); ++i) {
    const ast::SetOperation operation = set_operation(context->setOperator(i));
    if (i > 0 && operation != set_operation(context->setOperator(i - 1)) && ++changes > kMostChanges)
      throw SqlError(Code::invalid_statement, span(context->setOperator(i)),
                     "UNION, EXCEPT and INTERSECT follow one another too often.", ErrorClass::parse)
          .hint("put some of them into WITH or parentheses");
    ast::Query next = term(context->term(i + 1));
    if (operation == ast::SetOperation::intersect) {
      operands.back() = combined(std::move(operands.back()), operation, std::move(next));
    } else {
      operands.push_back(std::move(next));
      operations.push_back(operation);
    }
  }
  ast::Query all = std::move(operands.front());
  for (std::size_t i = 0; i < operations.size(); ++i)
    all = combined(std::move(all), operations[i], std::move(operands[i + 1]));
  return all;
}

ast::Query Builder::term(P::TermContext* context) {
  if (context->query() != nullptr) return ast::within_from(*query(context->query()));
  ast::Query select;
  read_select(context->select(), select);
  return select;
}

void Builder::read_select(P::SelectContext* context, ast::Query& query) {
  query.span = span(context);
  if (context->FROM() == nullptr) return read_values(context, query);
  query.distinct = context->distinct() != nullptr;
  if (query.distinct) {
    const bool plain = context->distinct()->expression().empty() && context->distinct()->duration() == nullptr;
    if (!plain) query.distinct_on = distinct_on(context->distinct());
  }
  for (auto* item : context->selectItem()) query.items.push_back(select_item(item));
  query.from.first = from_source(context->sourceReference());
  for (auto* join : context->joinedSource()) query.from.joins.push_back(joined_source(join));
  if (context->window() != nullptr) query.window = window(context->window());
  if (context->lateInto() != nullptr) query.window->late_into = name(context->lateInto()->name());
  if (context->where != nullptr) query.where = expression(context->where);
  if (context->groups() != nullptr) query.group_by = groups(context->groups());
  if (context->partitionBy != nullptr) query.partition_by = grouping(context->partitionBy);
  if (context->having != nullptr) query.having = expression(context->having);
  for (auto* named : context->namedWindow()) query.windows.push_back({name(named->name()), over(named->windowSpec())});
  if (context->ranked != nullptr) query.qualify = expression(context->ranked);
}

/// One row: that of a list of one element, which nobody reads.
void Builder::read_values(P::SelectContext* context, ast::Query& query) {
  for (auto* item : context->selectItem()) {
    query.items.push_back(select_item(item));
    if (std::holds_alternative<ast::SelectStar>(query.items.back()))
      throw SqlError(Code::invalid_statement, span(item), "SELECT * needs FROM.", ErrorClass::parse);
  }
  query.from.first.name = {.text = {}, .quoted = false, .span = query.span};
  query.from.first.unnest = make(ast::ArrayConstructor{{make(ast::IntegerLiteral{0}, query.span)}}, query.span);
  query.from.first.absent = true;
}

/// VALUES: the elements of a list of structs.
ast::Query Builder::values_query(P::PlainRelationContext* context) {
  const Span at = span(context);
  constexpr std::string_view kRow = "MILLRACE_ROW";
  const auto identifier = [&](std::string_view text) {
    return ast::Identifier{.text = std::string(text), .quoted = false, .span = at};
  };
  const auto column = [&](std::size_t i) { return identifier("COLUMN" + std::to_string(i + 1)); };
  const std::size_t width = context->valuesRow(0)->expression().size();
  ast::ArrayConstructor list;
  for (auto* row : context->valuesRow()) {
    if (row->expression().size() != width)
      throw SqlError(Code::invalid_statement, span(row),
                     "Rows of VALUES differ: " + std::to_string(width) + " and " +
                         std::to_string(row->expression().size()) + " values.",
                     ErrorClass::parse);
    ast::StructConstructor fields;
    for (auto* value : row->expression()) fields.fields.emplace_back(column(fields.fields.size()), expression(value));
    list.items.push_back(make(std::move(fields), span(row)));
  }
  ast::Query query;
  query.span = at;
  query.from.first.name = {.text = {}, .quoted = false, .span = at};
  query.from.first.unnest = make(std::move(list), at);
  query.from.first.alias = identifier(kRow);
  query.from.first.columns = {identifier(kRow)};
  for (std::size_t i = 0; i < width; ++i)
    query.items.emplace_back(
        ast::SelectExpr{make(ast::FieldAccess{make(ast::ColumnRef{std::nullopt, identifier(kRow)}, at), column(i)}, at),
                        column(i), at});
  return query;
}

ast::NamedQuery Builder::named_query(P::CteContext* context) {
  return {name(context->name()), names(context->nameList()), query(context->query()), span(context)};
}

ast::SelectItem Builder::select_item(P::SelectItemContext* context) {
  const Span at = span(context);
  if (context->expression() == nullptr) {
    if (context->name() == nullptr) return ast::SelectStar{std::nullopt, at};
    return ast::SelectStar{name(context->name()), at};
  }
  if (context->ARROW() != nullptr) {
    if (!is_primary(context->expression())) {
      const Span arrow = span(context->ARROW()->getSymbol());
      throw SqlError(Code::syntax, arrow,
                     "line " + std::to_string(arrow.line) + ":" + std::to_string(arrow.column) +
                         ": Syntax Error\nSyntax error at or near '->' at line " + std::to_string(arrow.line) + ":" +
                         std::to_string(arrow.column),
                     ErrorClass::parse);
    }
    return ast::SelectStructStar{expression(context->expression()), at};
  }
  ast::SelectExpr item{expression(context->expression()), std::nullopt, at};
  if (context->name() != nullptr) item.alias = name(context->name());
  return item;
}

ast::FromSource Builder::from_source(P::SourceReferenceContext* context) {
  ast::FromSource source;
  auto* relation = context->relation();
  auto* plain = relation->plainRelation();
  if (plain == nullptr) {
    source.unnest = expression(relation->expression());
    source.ordinality = relation->ORDINALITY() != nullptr;
    source.name = {.text = {}, .quoted = false, .span = span(relation)};
  } else if (!plain->valuesRow().empty()) {
    source.query = std::make_shared<const ast::Query>(values_query(plain));
    source.name = {.text = {}, .quoted = false, .span = span(plain)};
  } else if (plain->query() != nullptr) {
    source.query = query(plain->query());
    source.name = {.text = {}, .quoted = false, .span = span(plain)};
  } else {
    source.name = name(plain->name());
  }
  source.changes = relation->CHANGES_OF() != nullptr;
  if (relation->windowBounds() != nullptr) source.window = window_of(relation);
  if (relation->reading != nullptr)
    source.reading = relation->reading->getType() == P::READY ? ast::Reading::ready : ast::Reading::broadcast;
  if (context->asOf() != nullptr) source.as_of = operand(context->asOf()->operand());
  if (context->alias != nullptr) source.alias = name(context->alias);
  source.columns = names(context->nameList());
  return source;
}

ast::JoinedSource Builder::joined_source(P::JoinedSourceContext* context) {
  ast::JoinedSource join;
  join.kind = join_kind(context->joinKind());
  join.source = from_source(context->sourceReference());
  if (context->within() != nullptr) join.within = within(context->within());
  join.grace = grace(context->gracePeriod());
  if (context->expression() != nullptr) join.on = expression(context->expression());
  join.columns = names(context->nameList());
  join.nearest = context->ASOF_JOIN() != nullptr;
  if (join.nearest && context->LEFT() != nullptr) join.kind = ast::JoinKind::left;
  join.span = span(context);
  return join;
}

ast::Within Builder::within(P::WithinContext* context) {
  ast::Within within;
  within.unbounded = context->UNBOUNDED() != nullptr;
  if (within.unbounded) {
    if (context->TTL() != nullptr) within.ttl = duration(context->duration(0));
  } else {
    within.before = duration(context->duration(0));
    within.after = context->duration().size() == 2 ? duration(context->duration(1)) : within.before;
  }
  within.grace = grace(context->gracePeriod());
  if (context->lateInto() != nullptr) within.late_into = name(context->lateInto()->name());
  within.span = span(context);
  return within;
}

ast::Window Builder::window(P::WindowContext* context) {
  ast::Window window;
  window.kind = context->TUMBLING() != nullptr  ? ast::WindowKind::tumbling
                : context->HOPPING() != nullptr ? ast::WindowKind::hopping
                                                : ast::WindowKind::session;
  if (context->name() != nullptr) window.name = name(context->name());
  read_window(context, window);
  return window;
}

/// The arguments of TUMBLE, HOP and SESSION are those of the WINDOW clause.
ast::Window Builder::window_of(P::RelationContext* context) {
  ast::Window window;
  window.kind = context->SESSION() != nullptr                                ? ast::WindowKind::session
                : context->HOP() != nullptr || context->HOPPING() != nullptr ? ast::WindowKind::hopping
                                                                             : ast::WindowKind::tumbling;
  read_window(context, window);
  return window;
}

template <class Context>
void Builder::read_window(Context* context, ast::Window& window) {
  window.size = duration(context->duration(0));
  if (context->duration().size() == 2) window.advance = duration(context->duration(1));
  auto* bounds = context->windowBounds();
  if (bounds->retention() != nullptr) window.retention = duration(bounds->retention()->duration());
  window.grace = grace(bounds->gracePeriod());
  window.span = span(context);
  if (bounds->windowTime().empty()) return;
  if (bounds->windowTime().size() > 1)
    throw SqlError(Code::invalid_window, span(bounds->windowTime(1)), "A window has one time: ON stands there twice.",
                   ErrorClass::parse);
  auto* time = bounds->windowTime(0);
  const ast::Identifier column = name(time->name().back());
  const bool qualified = time->name().size() == 2;
  window.on_clock = !qualified && !column.quoted && column.text == "PROCTIME";
  if (window.on_clock) return;
  const auto qualifier = qualified ? std::optional(name(time->name(0))) : std::nullopt;
  window.on = make(ast::ColumnRef{qualifier, column}, span(time->name(0)));
}

ast::Grouping Builder::grouping(P::GroupingContext* context) {
  ast::Grouping grouping;
  for (auto* item : context->operand()) grouping.exprs.push_back(operand(item));
  grouping.span = span(context);
  return grouping;
}

ast::Grouping Builder::groups(P::GroupsContext* context) {
  ast::Grouping grouping;
  for (auto* item : context->operand()) grouping.exprs.push_back(operand(item));
  grouping.span = span(context);
  auto* several = context->groupingSets();
  if (several == nullptr) return grouping;
  grouping.kind = several->ROLLUP_OF() != nullptr ? ast::GroupingKind::rollup
                  : several->CUBE_OF() != nullptr ? ast::GroupingKind::cube
                                                  : ast::GroupingKind::sets;
  for (auto* set : several->groupingSet()) {
    grouping.sets.emplace_back();
    for (auto* item : set->operand()) grouping.sets.back().push_back(operand(item));
  }
  return grouping;
}

ast::DistinctOn Builder::distinct_on(P::DistinctContext* context) {
  ast::DistinctOn on;
  on.exprs = expressions(context->expression());
  if (context->duration() != nullptr) on.within = duration(context->duration());
  on.grace = grace(context->gracePeriod());
  if (context->lateInto() != nullptr) on.late_into = name(context->lateInto()->name());
  on.span = span(context);
  return on;
}

ast::SortItem Builder::sort_item(P::SortItemContext* context) {
  ast::SortItem item;
  item.expr = expression(context->expression());
  item.descending = context->direction != nullptr && context->direction->getType() == P::DESC;
  if (context->nulls != nullptr) item.nulls_first = context->nulls->getType() == P::FIRST;
  item.span = span(context);
  return item;
}

void Builder::page(P::OffsetContext* context, ast::Query& query) {
  query.offset = integer(context->skipped);
  if (context->most == nullptr) return;
  if (query.limit)
    throw SqlError(Code::invalid_statement, span(context), "LIMIT and FETCH FIRST say the same: write one of them.",
                   ErrorClass::parse);
  query.limit = integer(context->most);
}

ast::Duration Builder::duration(P::DurationContext* context) {
  ast::Duration duration;
  duration.count = integer(context->getStart());
  duration.unit = word(context->fixedUnit());
  duration.span = span(context);
  const std::int64_t unit = ast::unit_millis(duration.unit);
  if (duration.count > kLongestDuration / unit) {
    throw SqlError(Code::invalid_literal, duration.span,
                   "Duration too long: " + std::string(source_.text(duration.span)), ErrorClass::parse);
  }
  duration.millis = duration.count * unit;
  return duration;
}

std::optional<ast::Duration> Builder::grace(P::GracePeriodContext* context) {
  if (context == nullptr) return std::nullopt;
  return duration(context->duration());
}

std::int64_t Builder::limit(P::LimitContext* context) {
  if (context->number()->INTEGER_VALUE() == nullptr) {
    throw SqlError(Code::invalid_statement, span(context),
                   "Failed to prepare statement: Value must be integer for command: LIMIT", ErrorClass::statement);
  }
  return integer(context->number()->getStart(), context->MINUS() != nullptr, span(context));
}

}  // namespace millrace::inline parser
