#include "planner/bind/select.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/from_windows.h"
#include "planner/bind/join_using.h"
#include "planner/bind/late_into.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_distinct.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_over.h"
#include "planner/bind/select_project.h"
#include "planner/bind/select_ranks.h"
#include "planner/bind/select_relations.h"
#include "planner/bind/select_table_calls.h"
#include "planner/bind/select_union.h"
#include "planner/bind/select_window_time.h"
#include "planner/bind/subquery_joins.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {
namespace {

/// EMIT FINAL of single rows: they are put in the order of their times.
bool sorts(const SelectInput& input, const Clauses& clauses, const KeyedPlan& plan) {
  if (input.query.emit != ast::Emit::final || clauses.aggregated || plan.node->kind != RelationKind::stream ||
      !lifts(Lifted::final_streams, input.context.properties))
    return false;
  const auto trace = trace_windows(*plan.node);
  return !(trace && trace->final) &&
         std::ranges::none_of(input.query.from.joins, [](const auto& join) { return join.within.has_value(); });
}

/// `ksql` knows no time for which single rows are held.
void check_final_grace(const ast::Query& query, const PropertyMap& properties, bool sorted) {
  if (!query.final_grace) return;
  if (dialect_of(properties) == Dialect::ksql)
    throw SqlError(Code::syntax, query.final_grace->span, "Syntax Error\nEMIT FINAL has no GRACE PERIOD.",
                   ErrorClass::parse);
  if (!sorted)
    throw SqlError(Code::invalid_window, query.final_grace->span,
                   "EMIT FINAL GRACE PERIOD is for single rows of a stream.")
        .hint("windows and joins have a GRACE PERIOD of their own");
}

/// What only aggregations may have.
void check_plain(const SelectInput& input, const Clauses& clauses, const KeyedPlan& plan) {
  const ast::Query& query = input.query;
  const bool any_join = lifts(Lifted::any_join, input.context.properties);
  const auto trace = trace_windows(*plan.node);
  if (query.window) {
    throw SqlError(Code::invalid_window, query.window->span, "WINDOW clause requires a GROUP BY clause.");
  }
  const bool timed = clauses.joins.size() == 1 && query.from.joins.front().within.has_value() &&
                     !query.from.joins.front().within->unbounded;
  const bool final = (timed && any_join) || (trace && trace->final) || sorts(input, clauses, plan);
  if (query.emit == ast::Emit::final && !final) {
    throw SqlError(Code::invalid_window, query.span, "EMIT FINAL is only supported for windowed aggregations.");
  }
  if (clauses.having) {
    throw SqlError(Code::invalid_aggregate, clauses.having->span, "HAVING requires a GROUP BY clause.");
  }
}

/// `ksql` has no named windows, though their words are old.
void check_windows(const ast::Query& query, const PropertyMap& properties) {
  if (!query.windows.empty() && dialect_of(properties) == Dialect::ksql)
    throw SqlError(Code::syntax, query.windows.front().spec.span, "Syntax Error\nThere are no named windows.",
                   ErrorClass::parse);
}

/// Clauses of pull queries.
void check_finite(const ast::Query& query) {
  const auto refuse = [](const char* clause, Span span) {
    throw SqlError(Code::not_supported, span,
                   fmt::format("{} is only supported in pull queries, which have no EMIT clause.", clause));
  };
  if (!query.order_by.empty()) refuse("ORDER BY", query.order_by.front().span);
  if (query.offset) refuse("OFFSET", query.span);
}

BoundSelect bind(SelectInput input, std::function<void(const Schema&)> on_columns);

/// Each branch is a query within the whole, whose EMIT is that of the whole.
BoundSelect bind_union(const SelectInput& input) {
  std::vector<BoundSelect> branches;
  for (std::size_t i = 0; i <= input.query.branches.size(); ++i) {
    ast::Query branch = i == 0 ? input.query : *input.query.branches[i - 1];
    branch.with.clear();
    branch.branches.clear();
    branch.limit.reset();
    branch.emit = input.query.emit;
    branches.push_back(bind(SelectInput{.query = branch,
                                        .context = input.context,
                                        .sink = {},
                                        .inner = true,
                                        .named = input.named,
                                        .final_stream = true,
                                        .within_final = input.within_final},
                            {}));
  }
  const ast::SetOperation operation = input.query.combine;
  if (operation == ast::SetOperation::except || operation == ast::SetOperation::intersect)
    throw SqlError(Code::not_supported, input.query.branches.front()->span,
                   "EXCEPT and INTERSECT are only supported in pull queries, which have no EMIT clause.")
        .hint("[NOT] IN (SELECT ...) and [NOT] EXISTS take tables");
  if (operation == ast::SetOperation::union_all) return unite(std::move(branches), input.query, input.sink);
  BoundSelect all = unite(std::move(branches), input.query, {});
  all.branch.reset();
  return distinct_rows(std::move(all));
}

BoundSelect bind_plain(SelectInput input, std::function<void(const Schema&)> on_columns);

/// Another text of the same query.
SelectInput over_query(const ast::Query& query, const SelectInput& input) {
  return {.query = query,
          .context = input.context,
          .sink = input.sink,
          .pull = input.pull,
          .inner = input.inner,
          .named = input.named,
          .final_stream = input.final_stream,
          .window_keys = input.window_keys,
          .within_final = input.within_final};
}

BoundSelect bind(SelectInput input, std::function<void(const Schema&)> on_columns) {
  check_windows(input.query, input.context.properties);
  const ast::Query inlined = inline_windows(input.query);
  const bool distinct = inlined.distinct && !inlined.distinct_on && inlined.branches.empty();
  SelectInput rows = over_query(inlined, input);
  if (!distinct) return bind_plain(rows, std::move(on_columns));
  rows.sink.clear();
  rows.inner = true;
  return distinct_rows(bind_plain(rows, std::move(on_columns)));
}

BoundSelect bind_plain(SelectInput input, std::function<void(const Schema&)> on_columns) {
  const ast::Query& query = input.query;
  const BindContext& context = input.context;
  check_finite(query);
  check_forms(query);
  const NamedQueries named(query, context, input.named, input.final());
  input.named = &named;
  if (auto grouped = grouped_by_window(query)) {
    grouped->query.with.clear();  // `named` has them
    SelectInput rows = over_query(grouped->query, input);
    rows.window_keys = std::move(grouped->keys);
    return bind_plain(rows, std::move(on_columns));
  }
  if (!query.branches.empty()) return bind_union(input);
  BoundSelect result;
  Scope scope = open_sources(input, result.sources);
  if (auto joined = with_conditions(input, scope)) {
    joined->with.clear();  // `named` has them
    return bind_plain(over_query(*joined, input), std::move(on_columns));
  }
  if (auto joined = join_subqueries(input, scope)) {
    joined->with.clear();  // `named` has them
    return bind_plain(over_query(*joined, input), std::move(on_columns));
  }
  ItemNames names(scope);
  const Clauses clauses = read_clauses(input, scope, names);
  check_clauses(input, scope, clauses);

  KeyedPlan plan = scope.is_join() ? bind_joins(input, scope, clauses) : bind_single(scope);
  bind_filter(input, scope, clauses, plan);
  bind_window_time(input, scope, plan);
  TableCalls table_calls(input, scope, clauses);
  table_calls.apply(plan);
  KeyChange key(input, scope, clauses, names);
  Ranking ranking(input, scope, clauses);
  Aggregation aggregation(input, scope, clauses, ranking.call() != nullptr);
  ExprBinder binder(context, scope);
  if (clauses.aggregated) {
    aggregation.apply(plan, key);
    binder.intercept = [&](const ast::ExprPtr& expr) { return aggregation.replace_item(expr); };
  } else {
    check_plain(input, clauses, plan);
    table_calls.shift(key.partition(plan));
    binder.intercept = [&](const ast::ExprPtr& expr) { return table_calls.replace(expr); };
  }
  WindowCalls window_calls(input, scope, clauses, ranking.call());
  window_calls.apply(plan, binder);
  ranking.apply(plan, binder);
  FirstWithin first_within(input, scope, clauses);
  first_within.apply(plan, binder);
  Projection projection(input, scope, clauses, plan);
  projection.on_columns = std::move(on_columns);
  projection.bind(binder);

  result.root = projection.node();
  const bool sorted = !window_calls.exact() && sorts(input, clauses, plan);
  check_final_grace(query, context.properties, sorted || window_calls.exact());
  if (sorted && query.late_into)
    result.root = keep_late_rows(input, scope, *query.late_into, result.root,
                                 {.items = column_items(result.root->schema), .key_format = plan.key_format});
  if (sorted) result.root = make_node(TimeSortNode{result.root, query.final_grace ? query.final_grace->millis : 0});
  result.order = projection.order();
  result.key_format = plan.key_format;
  result.null_key = plan.origin == KeyOrigin::partitioning && plan.keys.empty();
  result.structured_aggregates = aggregation.structured();
  result.rewritten = rewrite_query(input, scope, clauses);
  return result;
}

}  // namespace

BoundSelect bind_select(const ast::Query& query, const BindContext& context, std::string sink,
                        std::function<void(const Schema&)> on_columns, bool stream) {
  const bool final_stream = stream && lifts(Lifted::final_streams, context.properties);
  return bind(SelectInput{.query = query, .context = context, .sink = std::move(sink), .final_stream = final_stream},
              std::move(on_columns));
}

BoundSelect bind_inner(const ast::Query& query, const BindContext& context, const NamedQueries* named,
                       bool within_final) {
  if (query.limit)
    throw SqlError(Code::not_supported, query.span, "LIMIT is not supported in a query within another one.");
  return bind(SelectInput{.query = query,
                          .context = context,
                          .sink = {},
                          .inner = true,
                          .named = named,
                          .final_stream = true,
                          .within_final = within_final},
              {});
}

}  // namespace millrace::inline planner
