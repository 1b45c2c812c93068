#include <fmt/format.h>

#include <utility>

#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/macros.h"
#include "planner/bind/nearest.h"
#include "planner/bind/resolve_function.h"

namespace millrace::inline planner {
namespace {

Type bound_or_null(const TypePattern& pattern, const TypeBindings& bindings) {
  return instantiate(pattern, bindings, Type::null());
}

CallArgument describe(const ast::ExprPtr& argument, const ExprPtr& bound) {
  if (const auto* lambda = argument->as<ast::Lambda>()) {
    return {.type = Type::null(), .lambda_parameters = static_cast<int>(lambda->parameters.size())};
  }
  if (argument->as<ast::IntervalUnit>()) return {.type = Type::string(), .interval_unit = true};
  return {.type = bound->type};
}

bool is_larger(const Expr& expr, std::size_t most, std::size_t& nodes) {
  bool larger = ++nodes > most;
  for_each_child(expr, [&](const ExprPtr& child) { larger = larger || is_larger(*child, most, nodes); });
  return larger;
}

void require_clock_unit(const ast::ExprPtr& argument, const FunctionDef& function) {
  const std::string& unit = argument->as<ast::IntervalUnit>()->unit;
  if (!unit.starts_with("MONTH") && !unit.starts_with("YEAR")) return;
  throw SqlError(Code::no_matching_function, argument->span,
                 fmt::format("{} cannot use {}: a time of day has no months or years.", function.display_name, unit))
      .hint("DAYS and shorter units go around the clock.");
}

void check_modifiers(const ast::CallModifiers& modifiers, const FunctionDef& function) {
  const auto refuse = [&](const char* what) {
    throw SqlError(Code::not_supported, modifiers.span, fmt::format("{} is not supported yet.", what));
  };
  if (modifiers.ignore_nulls) refuse("IGNORE NULLS");
  if (function.kind != FunctionKind::aggregate)
    throw SqlError(Code::invalid_aggregate, modifiers.span,
                   fmt::format("{} in a call needs an aggregate function, which {} is not.",
                               modifiers.filter     ? "FILTER"
                               : modifiers.distinct ? "DISTINCT"
                                                    : "ORDER BY",
                               function.display_name));
}

}  // namespace

const FunctionDef& ExprBinder::require_function(const ast::Call& call, Span span) const {
  if (call.over())
    throw SqlError(Code::not_supported, span, fmt::format("{} with OVER is not supported here.", call.name.text))
        .hint("functions with OVER stand in the SELECT list and in QUALIFY");
  const FunctionDef* function = context_.functions.find(call.name.text);
  if (function && function->kind == FunctionKind::window && dialect_of(context_.properties) == Dialect::ksql)
    function = nullptr;
  if (function) {
    if (call.modifiers) check_modifiers(*call.modifiers, *function);
    return *function;
  }
  if (const MacroDef* macro = find_macro(context_.catalog, call.name.text)) return macro->function;
  std::vector<std::string> names;
  for (const auto& known : context_.functions.all()) names.push_back(known.name);
  for (const auto& [name, macro] : context_.catalog.macros) names.push_back(name);
  throw SqlError(Code::unknown_function, span,
                 fmt::format("Can't find any functions with the name '{}'", call.name.text))
      .hint(nearest_hint(call.name.text, names));
}

ExprPtr ExprBinder::build_lambda(const ast::Lambda& lambda, const TypePattern& pattern, TypeBindings& bindings,
                                 Span span) {
  LambdaExpr result;
  const std::size_t before = parameters_.size();
  for (std::size_t i = 0; i < lambda.parameters.size(); ++i) {
    const int id = next_parameter_++;
    result.parameters.push_back(id);
    parameters_.push_back({lambda.parameters[i].text, id, bound_or_null(pattern.arguments[i], bindings)});
  }
  result.body = build(lambda.body);
  parameters_.resize(before);
  if (!match_type(pattern.arguments.back(), result.body->type, false, bindings)) {
    const Type wanted = bound_or_null(pattern.arguments.back(), bindings);
    if (!can_widen(result.body->type, wanted)) {
      throw SqlError(
          Code::no_matching_function, span,
          fmt::format("The lambda must give {}, but gives {}.", wanted.to_string(), result.body->type.to_string()));
    }
  }
  const Type type = instantiate(pattern.arguments.back(), bindings, result.body->type);
  result.body = cast_to(result.body, type);
  return make_expr(std::move(result), type, span);
}

ExprBinder::BoundCall ExprBinder::bind_call(const ast::Call& call, Span span) {
  return match_call(require_function(call, span), call, span);
}

ExprBinder::BoundCall ExprBinder::match_call(const FunctionDef& function, const ast::Call& call, Span span) {
  std::vector<ExprPtr> arguments;
  std::vector<CallArgument> known;
  for (const auto& argument : call.arguments) {
    arguments.push_back(argument->as<ast::Lambda>() ? nullptr : build(argument));
    known.push_back(describe(argument, arguments.back()));
  }
  auto match = resolve_function(function, known, span);
  const auto& variant = function.variants[match.variant];
  std::vector<Type> types;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const ParameterDef& parameter = variant.parameters[match.parameter[i]];
    const auto& pattern = parameter.type;
    if (parameter.clock_unit) require_clock_unit(call.arguments[i], function);
    if (const auto* lambda = call.arguments[i]->as<ast::Lambda>()) {
      arguments[i] = build_lambda(*lambda, pattern, match.bindings, call.arguments[i]->span);
    } else if (!known[i].interval_unit) {
      arguments[i] = cast_to(arguments[i], instantiate(pattern, match.bindings, arguments[i]->type));
    }
    types.push_back(arguments[i]->type);
  }
  Type type = variant.resolve_return ? variant.resolve_return(types) : bound_or_null(variant.returns, match.bindings);
  return {&function, match.variant, std::move(arguments), std::move(match.parameter), std::move(type)};
}

/// A call of a macro is its body, with what the arguments are in place of its parameters.
ExprPtr ExprBinder::build_macro(const MacroDef& macro, const ast::Call& call, Span span) {
  if (call.modifiers)
    throw SqlError(Code::not_supported, call.modifiers->span,
                   fmt::format("A call of {} takes arguments only.", macro.function.name));
  if (macro_kind(macro, context_.catalog, context_.functions) == FunctionKind::aggregate)
    throw SqlError(Code::invalid_aggregate, span,
                   fmt::format("Aggregate functions can only be used in SELECT and HAVING: {}", macro.function.name));
  BoundCall bound = match_call(macro.function, call, span);
  const FunctionVariant& variant = macro.function.variants[bound.variant];
  Macro within{&macro.function.name, {}};
  for (std::size_t i = 0; i < bound.arguments.size(); ++i)
    within.given.emplace(variant.parameters[i].name, bound.arguments[i]);
  const auto around = std::exchange(macro_, std::make_shared<const Macro>(std::move(within)));
  const auto ready = std::exchange(intercept, nullptr);
  ExprPtr made = build(macro.bodies[bound.variant].expr);
  macro_ = around;
  intercept = ready;
  std::size_t nodes = 0;
  if (is_larger(*made, kMostExpandedNodes, nodes))
    throw SqlError(Code::invalid_statement, span, fmt::format("The call of {} is too large.", macro.function.name));
  auto result = std::make_shared<Expr>(*cast_to(made, bound.type));
  result->span = span;
  return result;
}

ExprPtr ExprBinder::build_scalar_call(const ast::Call& call, Span span) {
  const FunctionDef& function = require_function(call, span);
  if (const MacroDef* macro = find_macro(context_.catalog, call.name.text)) return build_macro(*macro, call, span);
  if (function.kind == FunctionKind::aggregate) {
    throw SqlError(Code::invalid_aggregate, span,
                   fmt::format("Aggregate functions can only be used in SELECT and HAVING: {}", function.display_name));
  }
  if (function.kind == FunctionKind::window) {
    throw SqlError(Code::invalid_statement, span, fmt::format("{} needs OVER.", function.display_name))
        .hint(fmt::format("{}(...) OVER (PARTITION BY ... ORDER BY ...)", function.display_name));
  }
  if (function.kind == FunctionKind::table) {
    throw SqlError(Code::invalid_aggregate, span,
                   fmt::format("Table functions can only be used in SELECT: {}", function.display_name));
  }
  auto bound = bind_call(call, span);
  return make_expr(CallExpr{bound.function, bound.variant, std::move(bound.arguments)}, bound.type, span);
}

}  // namespace millrace::inline planner
