#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/select_aggregate.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

// Each takes a look-up and an entry of state; with millions of them a single row would keep a worker for minutes.
constexpr std::int64_t kMostWindowsPerRow = 100'000;

/// True when the expression needs nothing but grouping expressions, aggregates and constants.
bool is_grouped(const SelectInput& input, const Clauses& clauses, const ast::ExprPtr& expr) {
  if (among(clauses.group, expr) || is_call_of(input.context.functions, *expr, FunctionKind::aggregate)) return true;
  if (const auto* column = expr->as<ast::ColumnRef>()) return !column->qualifier.has_value();
  bool grouped = true;
  for_each_child(*expr, [&](const ast::ExprPtr& child) { grouped = grouped && is_grouped(input, clauses, child); });
  return grouped;
}

void check_group_expr(const SelectInput& input, const ast::ExprPtr& expr) {
  contains(expr, [&](const ast::Expression& e) {
    if (is_call_of(input.context.functions, e, FunctionKind::aggregate)) {
      throw SqlError(Code::invalid_aggregate, e.span,
                     fmt::format("GROUP BY does not support aggregate functions: {} is an aggregate function.",
                                 e.as<ast::Call>()->name.text));
    }
    if (is_call_of(input.context.functions, e, FunctionKind::table)) {
      throw SqlError(Code::invalid_aggregate, e.span,
                     fmt::format("GROUP BY does not support table functions: {} is a table function.",
                                 e.as<ast::Call>()->name.text));
    }
    if (is_window_bound(e) && !input.pull) {
      throw SqlError(
          Code::invalid_window, e.span,
          fmt::format("Window bounds column {} can only be used in the SELECT clause of windowed aggregations",
                      e.as<ast::ColumnRef>()->name.text));
    }
    return false;
  });
}

}  // namespace

void check_grouping(const SelectInput& input, const Clauses& clauses) {
  if (input.query.partition_by && input.query.group_by) {
    throw SqlError(Code::invalid_statement, input.query.partition_by->span,
                   "Queries only support one of PARTITION BY and GROUP BY");
  }
  if (!input.query.group_by) {
    if (input.query.window && input.persistent() && !lifts(Lifted::loose_aggregates, input.context.properties))
      throw SqlError(Code::invalid_window, input.query.window->span, "WINDOW clause requires a GROUP BY clause.");
    return;
  }
  if (clauses.group.empty())
    throw SqlError(Code::invalid_statement, input.query.group_by->span, "GROUP BY requires at least one expression");
  for (std::size_t i = 0; i < clauses.group.size(); ++i) {
    check_group_expr(input, clauses.group[i]);
    const std::vector<ast::ExprPtr> before(clauses.group.begin(),
                                           clauses.group.begin() + static_cast<std::ptrdiff_t>(i));
    if (among(before, clauses.group[i])) {
      throw SqlError(Code::invalid_aggregate, clauses.group[i]->span,
                     "Duplicate GROUP BY expression: " + ast::format(*clauses.group[i]));
    }
  }
  const bool any = has_call_of(input.context.functions, clauses.having, FunctionKind::aggregate) ||
                   std::ranges::any_of(clauses.items, [&](const OutputItem& item) {
                     return has_call_of(input.context.functions, item.expr, FunctionKind::aggregate);
                   });
  if (!any && !input.pull && !lifts(Lifted::loose_aggregates, input.context.properties)) {
    throw SqlError(Code::invalid_aggregate, input.query.group_by->span,
                   "GROUP BY requires aggregate functions in either the SELECT or HAVING clause.");
  }
}

void check_non_aggregates(const SelectInput& input, const Scope& scope, const Clauses& clauses) {
  std::vector<std::string> loose;
  Span span = input.query.span;
  for (const auto& item : clauses.items) {
    if (is_grouped(input, clauses, item.expr)) continue;
    if (loose.empty()) span = item.expr->span;
    loose.push_back(display(item.expr, scope));
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
    if (among(clauses.group, expr) || is_call_of(input.context.functions, *expr, FunctionKind::aggregate)) return;
    if (const auto* column = expr->as<ast::ColumnRef>(); column && column->qualifier) {
      throw SqlError(
          Code::invalid_aggregate, expr->span,
          fmt::format(
              "Non-aggregate HAVING expression not part of GROUP BY: {}\nConsider switching the HAVING clause to a "
              "WHERE clause before the GROUP BY.",
              display(expr, scope)));
    }
    for_each_child(*expr, check_having);
  };
  if (clauses.having) check_having(clauses.having);
}

void check_ordered(const SelectInput& input, const Scope& scope, const Clauses& clauses, const ast::ExprPtr& expr) {
  if (is_grouped(input, clauses, expr)) return;
  throw SqlError(Code::invalid_aggregate, expr->span,
                 fmt::format("Non-aggregate ORDER BY expression not part of GROUP BY: {}", display(expr, scope)));
}

/// Rows that one task took just before the clock came to the end of a window may reach another task after that.
constexpr std::int64_t kClockGraceMs = 1000;

std::optional<WindowSpec> window_spec(const ast::Query& query, bool final) {
  if (!query.window) return std::nullopt;
  const auto& window = *query.window;
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
  if (spec.type == WindowType::hopping && (spec.size_ms - 1) / spec.advance_ms >= kMostWindowsPerRow) {
    fail(fmt::format("A row would count in {} windows, more than {}: make the ADVANCE larger or the SIZE smaller.",
                     (spec.size_ms - 1) / spec.advance_ms + 1, kMostWindowsPerRow));
  }
  spec.by_clock = window.on_clock;
  if (window.on_clock && window.grace) fail("A window ON PROCTIME has no GRACE PERIOD: nothing is late.");
  const std::int64_t by_default = window.on_clock ? kClockGraceMs
                                  : window.grace  ? window.grace->millis
                                                  : std::max<std::int64_t>(kMillisPerDay - spec.size_ms, 0);
  // Final results do not wait by themselves, but can be asked for as long as others.
  spec.grace_ms = final && !window.grace && !window.on_clock ? 0 : by_default;
  const std::int64_t kept = spec.size_ms + by_default;
  spec.retention_ms = window.retention ? window.retention->millis : final ? std::max(kept, kMillisPerDay) : kept;
  if (spec.retention_ms < spec.size_ms + spec.grace_ms) {
    fail(fmt::format(
        "The RETENTION of a window must be at least its size plus its grace period: {} ms is less than {} ms.",
        spec.retention_ms, spec.size_ms + spec.grace_ms));
  }
  return spec;
}

}  // namespace millrace::inline planner
