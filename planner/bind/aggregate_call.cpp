#include "planner/bind/aggregate_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "parser/error/letter_case.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/select_ranks.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {
namespace {

bool is_literal(const ast::Expression& expr) {
  return expr.as<ast::IntegerLiteral>() || expr.as<ast::BigintLiteral>() || expr.as<ast::BooleanLiteral>() ||
         expr.as<ast::StringLiteral>() || expr.as<ast::DecimalLiteral>() || expr.as<ast::DoubleLiteral>() ||
         expr.as<ast::NullLiteral>();
}

/// `ksql.functions.<name>.limit`, or that of all functions.
std::int64_t collect_limit(std::string_view function, const PropertyMap& properties) {
  std::optional<std::string> given =
      find_property(properties, fmt::format("ksql.functions.{}.limit", lower_case(function)));
  if (!given || given->empty()) given = find_property(properties, "ksql.functions._global_.limit");
  std::int64_t limit = -1;
  if (given) std::from_chars(given->data(), given->data() + given->size(), limit);
  return limit;
}

std::vector<Value> take_constants(const ast::Call& call, ExprBinder::BoundCall& bound, const Scope& scope,
                                  const BindContext& context) {
  const auto& variant = bound.function->variants[bound.variant];
  std::vector<Value> constants;
  std::vector<ExprPtr> arguments;
  for (std::size_t i = 0; i < bound.arguments.size(); ++i) {
    const ParameterDef& parameter = variant.parameters[bound.parameter[i]];
    if (!parameter.literal) {
      arguments.push_back(bound.arguments[i]);
      continue;
    }
    if (!is_literal(*call.arguments[i]) || call.arguments[i]->as<ast::NullLiteral>()) {
      throw SqlError(
          Code::invalid_aggregate, call.arguments[i]->span,
          fmt::format("Parameter {} passed to function {} must be a literal constant, but was expression: '{}'", i + 1,
                      call.name.text, display(call.arguments[i], scope)));
    }
    const auto* literal = bound.arguments[i]->as<LiteralExpr>();
    constants.push_back(literal ? literal->value : context.evaluate(*bound.arguments[i]));
    if (parameter.least && constants.back().as<std::int32_t>() < *parameter.least)
      throw SqlError(Code::invalid_aggregate, call.arguments[i]->span,
                     fmt::format("{} must be {} or greater", parameter.name, *parameter.least));
  }
  bound.arguments = std::move(arguments);
  return constants;
}

/// What it takes in where nothing is said: when the row was.
ast::ExprPtr row_time(Span span) {
  return make_ast(ast::ColumnRef{std::nullopt, {.text = "ROWTIME", .quoted = false, .span = span}}, span);
}

/// The call without what is not the function's own business.
ast::Call plain_call(const ast::Call& call) {
  ast::Call plain = call;
  if (!call.modifiers) return plain;
  ast::CallModifiers modifiers = *call.modifiers;
  modifiers.over.reset();
  modifiers.ignore_nulls.reset();
  const bool left = modifiers.distinct || modifiers.filter || !modifiers.order_by.empty() || modifiers.limit;
  plain.modifiers = left ? std::make_shared<const ast::CallModifiers>(std::move(modifiers)) : nullptr;
  return plain;
}

void bind_order(const ast::CallModifiers& modifiers, ExprBinder& binder, const Scope& scope, AggregateCall& made) {
  if (modifiers.limit && modifiers.order_by.empty())
    throw SqlError(Code::invalid_statement, modifiers.span, "LIMIT in a call needs ORDER BY in it.");
  made.first = modifiers.limit.value_or(-1);
  for (const auto& item : modifiers.order_by) {
    ExprPtr bound = bind_item(binder, item.expr, scope);
    check_sortable(bound->type, item.span);
    const auto same = [&](const ExprPtr& argument) { return equal(*argument, *bound); };
    if (made.distinct && std::ranges::none_of(made.arguments, same))
      throw SqlError(Code::invalid_aggregate, item.span,
                     "With DISTINCT, ORDER BY in a call takes its arguments only: equal ones stand at one place.");
    made.order.push_back({std::move(bound), item.descending, item.nulls_first.value_or(item.descending)});
  }
}

}  // namespace

AggregateCall bind_aggregate(const ast::ExprPtr& expr, ExprBinder& binder, const Scope& scope,
                             const BindContext& context, std::string column) {
  ast::Call call = plain_call(*expr->as<ast::Call>());
  const FunctionDef& function = binder.require_function(call, expr->span);
  const bool bare = call.star || call.arguments.empty();
  const bool takes_none =
      std::ranges::any_of(function.variants, [](const FunctionVariant& v) { return v.parameters.empty(); });
  if (bare && !takes_none) {
    call.arguments = {row_time(expr->span)};
    call.star = false;
  }
  const auto below = binder.intercept;
  binder.intercept = [&](const ast::ExprPtr& node) -> ExprPtr {
    const auto* ref = node->as<ast::ColumnRef>();
    if (!bare || !ref || ref->qualifier || ref->name.text != "ROWTIME") return below ? below(node) : nullptr;
    return make_expr(PseudoExpr{PseudoColumn::row_time}, Type::bigint(), node->span);
  };
  auto bound = binder.bind_call(call, expr->span);
  binder.intercept = below;
  auto constants = take_constants(call, bound, scope, context);
  AggregateCall made{bound.function,
                     bound.variant,
                     std::move(bound.arguments),
                     std::move(constants),
                     ColumnDef{.name = std::move(column), .type = bound.type},
                     collect_limit(function.name, context.properties)};
  if (!call.modifiers) return made;
  made.distinct = call.modifiers->distinct;
  bind_order(*call.modifiers, binder, scope, made);
  if (call.modifiers->filter) made.filter = bind_predicate(binder, call.modifiers->filter, scope, "FILTER");
  return made;
}

}  // namespace millrace::inline planner
