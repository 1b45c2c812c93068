#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/select_binder.h"
#include "planner/bind/with_properties.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

bool is_window_bound(const ast::Expression& expr) {
  const auto* column = expr.as<ast::ColumnRef>();
  return column && !column->qualifier && (column->name.text == "WINDOWSTART" || column->name.text == "WINDOWEND");
}

bool is_literal(const ast::Expression& expr) {
  return expr.as<ast::IntegerLiteral>() || expr.as<ast::BigintLiteral>() || expr.as<ast::BooleanLiteral>() ||
         expr.as<ast::StringLiteral>() || expr.as<ast::DecimalLiteral>() || expr.as<ast::DoubleLiteral>() ||
         expr.as<ast::NullLiteral>();
}

}  // namespace

bool SelectBinder::is_call_of(const ast::Expression& expr, FunctionKind kind) const {
  const auto* call = expr.as<ast::Call>();
  const auto* function = call ? context_.functions.find(call->name.text) : nullptr;
  return function && function->kind == kind;
}

bool SelectBinder::has_aggregate(const ast::ExprPtr& expr) const {
  return contains(expr, [&](const ast::Expression& e) { return is_call_of(e, FunctionKind::aggregate); });
}

/// True when the expression needs nothing but grouping expressions, aggregates and constants.
bool SelectBinder::is_grouped(const ast::ExprPtr& expr) const {
  if (among(group_, expr) || is_call_of(*expr, FunctionKind::aggregate)) return true;
  if (const auto* column = expr->as<ast::ColumnRef>()) return !column->qualifier.has_value();
  bool grouped = true;
  for_each_child(*expr, [&](const ast::ExprPtr& child) { grouped = grouped && is_grouped(child); });
  return grouped;
}

void SelectBinder::check_group_expr(const ast::ExprPtr& expr) const {
  contains(expr, [&](const ast::Expression& e) {
    if (is_call_of(e, FunctionKind::aggregate)) {
      throw SqlError(Code::invalid_aggregate, e.span,
                     fmt::format("GROUP BY does not support aggregate functions: {} is an aggregate function.",
                                 e.as<ast::Call>()->name.text));
    }
    if (is_call_of(e, FunctionKind::table)) {
      throw SqlError(Code::invalid_aggregate, e.span,
                     fmt::format("GROUP BY does not support table functions: {} is a table function.",
                                 e.as<ast::Call>()->name.text));
    }
    if (is_window_bound(e)) {
      throw SqlError(
          Code::invalid_window, e.span,
          fmt::format("Window bounds column {} can only be used in the SELECT clause of windowed aggregations",
                      e.as<ast::ColumnRef>()->name.text));
    }
    return false;
  });
}

void SelectBinder::check_grouping() const {
  if (query_.partition_by && query_.group_by) {
    throw SqlError(Code::invalid_statement, query_.partition_by->span,
                   "Queries only support one of PARTITION BY and GROUP BY");
  }
  if (!query_.group_by) {
    if (query_.window && persistent())
      throw SqlError(Code::invalid_window, query_.window->span, "WINDOW clause requires a GROUP BY clause.");
    return;
  }
  if (group_.empty())
    throw SqlError(Code::invalid_statement, query_.group_by->span, "GROUP BY requires at least one expression");
  for (std::size_t i = 0; i < group_.size(); ++i) {
    check_group_expr(group_[i]);
    const std::vector<ast::ExprPtr> before(group_.begin(), group_.begin() + static_cast<std::ptrdiff_t>(i));
    if (among(before, group_[i])) {
      throw SqlError(Code::invalid_aggregate, group_[i]->span,
                     "Duplicate GROUP BY expression: " + ast::format(*group_[i]));
    }
  }
  const bool any = has_aggregate(having_) ||
                   std::ranges::any_of(items_, [&](const OutputItem& item) { return has_aggregate(item.expr); });
  if (!any) {
    throw SqlError(Code::invalid_aggregate, query_.group_by->span,
                   "GROUP BY requires aggregate functions in either the SELECT or HAVING clause.");
  }
}

void SelectBinder::check_non_aggregates() const {
  std::vector<std::string> loose;
  Span span = query_.span;
  for (const auto& item : items_) {
    if (is_grouped(item.expr)) continue;
    if (loose.empty()) span = item.expr->span;
    loose.push_back(display(item.expr, scope_));
  }
  if (!loose.empty()) {
    throw SqlError(
        Code::invalid_aggregate, span,
        fmt::format(
            "Non-aggregate SELECT expression(s) not part of GROUP BY: {}\nEither add the column(s) to the GROUP BY "
            "or remove them from the SELECT.",
            join_words(loose, ", ")));
  }
  const std::function<void(const ast::ExprPtr&)> check_having = [&](const ast::ExprPtr& expr) {
    if (among(group_, expr) || is_call_of(*expr, FunctionKind::aggregate)) return;
    if (const auto* column = expr->as<ast::ColumnRef>(); column && column->qualifier) {
      throw SqlError(
          Code::invalid_aggregate, expr->span,
          fmt::format(
              "Non-aggregate HAVING expression not part of GROUP BY: {}\nConsider switching the HAVING clause to a "
              "WHERE clause before the GROUP BY.",
              display(expr, scope_)));
    }
    for_each_child(*expr, check_having);
  };
  if (having_) check_having(having_);
}

void SelectBinder::check_aggregate_sources() const {
  if (!query_.group_by) {
    if (!persistent()) return;
    std::vector<std::string> calls;
    for (const auto& call : aggregates_) {
      const auto& node = *call->as<ast::Call>();
      const bool bare = node.star || node.arguments.empty();
      calls.push_back(bare ? node.name.text + "(ROWTIME)" : display(call, scope_));
    }
    throw SqlError(
        Code::invalid_aggregate, query_.span,
        fmt::format(
            "CREATE TABLE AS SELECT statement does not support aggregate function [{}] without a GROUP BY clause.",
            join_words(calls, ", ")));
  }
  std::vector<std::string> names;
  for (const auto& source : scope_.sources) {
    if (source.def->value_format.name == "KAFKA") names.push_back(source.def->name);
  }
  if (!names.empty()) {
    throw SqlError(
        Code::invalid_aggregate, query_.group_by->span,
        fmt::format(
            "Source(s) {} are using the 'KAFKA' value format. This format does not yet support GROUP BY.\nThe KAFKA "
            "format is primarily intended for use as a key format.",
            join_words(names, ", ")));
  }
  if (query_.window && node_->kind == RelationKind::table) {
    throw SqlError(Code::invalid_window, query_.window->span, "Windowing not supported for table aggregations.");
  }
}

void SelectBinder::check_nested(const ast::ExprPtr& expr) const {
  const auto& outer = *expr->as<ast::Call>();
  for (const auto& argument : outer.arguments) {
    contains(argument, [&](const ast::Expression& e) {
      if (is_call_of(e, FunctionKind::aggregate)) {
        throw SqlError(Code::invalid_aggregate, expr->span,
                       fmt::format("Aggregate functions can not be nested: {}({}())", outer.name.text,
                                   e.as<ast::Call>()->name.text));
      }
      if (scope_.window_aggregation && is_window_bound(e)) {
        throw SqlError(
            Code::invalid_window, e.span,
            fmt::format("Window bounds column {} can only be used in the SELECT clause of windowed aggregations",
                        e.as<ast::ColumnRef>()->name.text));
      }
      return false;
    });
  }
}

void SelectBinder::collect_aggregates(const ast::ExprPtr& expr) {
  if (!expr) return;
  if (is_call_of(*expr, FunctionKind::aggregate)) {
    check_nested(expr);
    if (!among(aggregates_, expr)) aggregates_.push_back(expr);
    return;
  }
  for_each_child(*expr, [this](const ast::ExprPtr& child) { collect_aggregates(child); });
}

std::vector<Value> SelectBinder::take_constants(const ast::Call& call, ExprBinder::BoundCall& bound) const {
  const auto& variant = bound.function->variants[bound.variant];
  std::vector<Value> constants;
  std::vector<ExprPtr> arguments;
  for (std::size_t i = 0; i < bound.arguments.size(); ++i) {
    if (!variant.parameters[bound.parameter[i]].literal) {
      arguments.push_back(bound.arguments[i]);
      continue;
    }
    if (!is_literal(*call.arguments[i])) {
      throw SqlError(
          Code::invalid_aggregate, call.arguments[i]->span,
          fmt::format("Parameter {} passed to function {} must be a literal constant, but was expression: '{}'", i + 1,
                      call.name.text, display(call.arguments[i], scope_)));
    }
    const auto* literal = bound.arguments[i]->as<LiteralExpr>();
    constants.push_back(literal ? literal->value : context_.evaluate(*bound.arguments[i]));
  }
  bound.arguments = std::move(arguments);
  return constants;
}

/// `ksql.functions.<name>.limit`, or that of all functions.
static std::int64_t collect_limit(std::string_view function, const PropertyMap& properties) {
  std::string name(function);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::optional<std::string> given = find_property(properties, fmt::format("ksql.functions.{}.limit", name));
  if (!given || given->empty()) given = find_property(properties, "ksql.functions._global_.limit");
  std::int64_t limit = -1;
  if (given) std::from_chars(given->data(), given->data() + given->size(), limit);
  return limit;
}

AggregateCall SelectBinder::bind_aggregate(const ast::Call& call, const ast::ExprPtr& expr) {
  ExprBinder binder(context_, scope_);
  const FunctionDef& function = binder.require_function(call, expr->span);
  ColumnDef column{.name = fmt::format("KSQL_AGG_VARIABLE_{}", aggregate_calls_.size()), .type = Type::null()};
  ast::Call full = call;
  const bool bare = call.star || call.arguments.empty();
  const bool takes_none =
      std::ranges::any_of(function.variants, [](const FunctionVariant& v) { return v.parameters.empty(); });
  if (bare && !takes_none) {
    full.arguments = {
        make_ast(ast::ColumnRef{std::nullopt, {.text = "ROWTIME", .quoted = false, .span = expr->span}}, expr->span)};
    full.star = false;
  }
  binder.intercept = [&](const ast::ExprPtr& node) -> ExprPtr {
    const auto* ref = node->as<ast::ColumnRef>();
    if (!bare || !ref || ref->qualifier || ref->name.text != "ROWTIME") return nullptr;
    return make_expr(PseudoExpr{PseudoColumn::row_time}, Type::bigint(), node->span);
  };
  auto bound = binder.bind_call(full, expr->span);
  auto constants = take_constants(full, bound);
  column.type = bound.type;
  return {bound.function,       bound.variant,     std::move(bound.arguments),
          std::move(constants), std::move(column), collect_limit(function.name, context_.properties)};
}

void SelectBinder::check_undo() const {
  if (node_->kind != RelationKind::table) return;
  std::vector<std::string> names;
  for (const auto& call : aggregate_calls_) {
    const bool known = std::ranges::find(names, call.function->name) != names.end();
    if (!known && !call.function->variants[call.variant].undo) names.push_back(call.function->name);
  }
  if (names.empty()) return;
  throw SqlError(
      Code::invalid_aggregate, query_.span,
      fmt::format("The aggregation function{} {} cannot be applied to a table source, only to a stream source.",
                  names.size() > 1 ? "s" : "", join_words(names, " and ")));
}

std::optional<WindowSpec> SelectBinder::window_spec() const {
  if (!query_.window) return std::nullopt;
  const auto& window = *query_.window;
  WindowSpec spec{};
  spec.type = window.kind == ast::WindowKind::tumbling  ? WindowType::tumbling
              : window.kind == ast::WindowKind::hopping ? WindowType::hopping
                                                        : WindowType::session;
  spec.size_ms = window.size.millis;
  spec.advance_ms = window.advance ? window.advance->millis : spec.size_ms;
  const auto fail = [&](const std::string& message) { throw SqlError(Code::invalid_window, window.span, message); };
  if (spec.size_ms <= 0) fail("The size of a window must be greater than zero.");
  if (spec.advance_ms <= 0 || spec.advance_ms > spec.size_ms) {
    fail(fmt::format(
        "The ADVANCE of a hopping window must be greater than zero and at most its SIZE ({} ms), but is {} ms.",
        spec.size_ms, spec.advance_ms));
  }
  const std::int64_t by_default =
      window.grace ? window.grace->millis : std::max<std::int64_t>(kMillisPerDay - spec.size_ms, 0);
  // Final results do not wait by themselves, but can be asked for as long as others.
  const bool final = query_.emit == ast::Emit::final;
  spec.grace_ms = final && !window.grace ? 0 : by_default;
  const std::int64_t kept = spec.size_ms + by_default;
  spec.retention_ms = window.retention ? window.retention->millis : final ? std::max(kept, kMillisPerDay) : kept;
  if (spec.retention_ms < spec.size_ms + spec.grace_ms) {
    fail(fmt::format(
        "The RETENTION of a window must be at least its size plus its grace period: {} ms is less than {} ms.",
        spec.retention_ms, spec.size_ms + spec.grace_ms));
  }
  return spec;
}

ExprPtr SelectBinder::replace_grouped(const ast::ExprPtr& expr, bool select) {
  for (std::size_t i = 0; i < group_.size(); ++i) {
    if (ast::equal(*expr, *group_[i])) return make_expr(ColumnExpr{keys_[i].position}, keys_[i].type, expr->span);
  }
  for (std::size_t i = 0; i < aggregates_.size(); ++i) {
    if (ast::equal(*expr, *aggregates_[i])) {
      return make_expr(ColumnExpr{keys_.size() + i}, aggregate_calls_[i].column.type, expr->span);
    }
  }
  if (select && is_window_bound(*expr) && scope_.window_aggregation) {
    const auto column = *pseudo_column_of(expr->as<ast::ColumnRef>()->name.text);
    return make_expr(PseudoExpr{column}, Type::bigint(), expr->span);
  }
  return nullptr;
}

void SelectBinder::aggregate() {
  check_grouping();
  for (const auto& item : items_) collect_aggregates(item.expr);
  collect_aggregates(having_);
  check_non_aggregates();
  check_aggregate_sources();
  AggregateNode node{node_,
                     {},
                     window_spec(),
                     query_.emit == ast::Emit::final ? EmitPolicy::final : EmitPolicy::changes,
                     !query_.group_by};
  const bool final = query_.emit == ast::Emit::final;
  if (final && find_flag(context_.properties, "ksql.suppress.enabled") == false) {
    throw SqlError(Code::invalid_statement, query_.span,
                   "Suppression is currently disabled. You can enable it by setting ksql.suppress.enabled to true");
  }
  if (final && !node.window) {
    throw SqlError(Code::invalid_window, query_.span, "EMIT FINAL is only supported for windowed aggregations.");
  }
  if (!query_.group_by) {
    rekey({}, NullKey::keep);
  } else if (is_current_key(group_) && !(node_->window && node_->kind == RelationKind::table)) {
    keys_[0].candidates = {group_[0]};
  } else {
    rekey(group_, NullKey::drop);
  }
  origin_ = KeyOrigin::grouping;
  for (const auto& call : aggregates_) aggregate_calls_.push_back(bind_aggregate(*call->as<ast::Call>(), call));
  check_undo();
  node.input = node_;
  node.calls = aggregate_calls_;
  node_ = make_node(std::move(node));
  if (having_) {
    ExprBinder having(context_, scope_);
    having.intercept = [this](const ast::ExprPtr& expr) { return replace_grouped(expr, false); };
    node_ = make_node(FilterNode{node_, bind_predicate(having, having_, scope_, "HAVING")});
  }
  ExprBinder binder(context_, scope_);
  binder.intercept = [this](const ast::ExprPtr& expr) { return replace_grouped(expr, true); };
  project(binder);
}

}  // namespace millrace::inline planner
