#include "planner/bind/select.h"

#include <fmt/format.h>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_project.h"
#include "planner/bind/select_ranks.h"
#include "planner/bind/select_relations.h"
#include "planner/bind/select_table_calls.h"
#include "planner/bind/select_union.h"

namespace millrace::inline planner {
namespace {

/// What only aggregations may have.
void check_plain(const ast::Query& query, const Clauses& clauses, bool any_join) {
  if (query.window) {
    throw SqlError(Code::invalid_window, query.window->span, "WINDOW clause requires a GROUP BY clause.");
  }
  const bool timed = clauses.joins.size() == 1 && query.from.joins.front().within.has_value() &&
                     !query.from.joins.front().within->unbounded;
  if (query.emit == ast::Emit::final && !(timed && any_join)) {
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
  if (query.distinct) refuse("SELECT DISTINCT", query.span);
  if (!query.order_by.empty()) refuse("ORDER BY", query.order_by.front().span);
  if (query.offset) refuse("OFFSET", query.span);
}

BoundSelect bind(SelectInput input, std::function<void(const Schema&)> on_columns);

/// Each branch is a query within the whole, whose EMIT is that of the whole.
BoundSelect bind_union(const SelectInput& input) {
  std::vector<BoundSelect> branches;
  for (std::size_t i = 0; i <= input.query.union_all.size(); ++i) {
    ast::Query branch = i == 0 ? input.query : *input.query.union_all[i - 1];
    branch.with.clear();
    branch.union_all.clear();
    branch.limit.reset();
    branch.emit = input.query.emit;
    branches.push_back(bind(SelectInput{.query = branch,
                                        .context = input.context,
                                        .sink = {},
                                        .inner = true,
                                        .named = input.named,
                                        .final_stream = true},
                            {}));
  }
  return unite(std::move(branches), input.query);
}

BoundSelect bind_plain(SelectInput input, std::function<void(const Schema&)> on_columns);

BoundSelect bind(SelectInput input, std::function<void(const Schema&)> on_columns) {
  check_windows(input.query, input.context.properties);
  const ast::Query inlined = inline_windows(input.query);
  return bind_plain(SelectInput{.query = inlined,
                                .context = input.context,
                                .sink = input.sink,
                                .pull = input.pull,
                                .inner = input.inner,
                                .named = input.named,
                                .final_stream = input.final_stream},
                    std::move(on_columns));
}

BoundSelect bind_plain(SelectInput input, std::function<void(const Schema&)> on_columns) {
  const ast::Query& query = input.query;
  const BindContext& context = input.context;
  check_finite(query);
  check_forms(query);
  const NamedQueries named(query, context, input.named);
  input.named = &named;
  if (!query.union_all.empty()) return bind_union(input);
  BoundSelect result;
  Scope scope = open_sources(input, result.sources);
  ItemNames names(scope);
  const Clauses clauses = read_clauses(input, scope, names);
  check_clauses(input, scope, clauses);

  KeyedPlan plan = scope.is_join() ? bind_joins(input, scope, clauses) : bind_single(scope);
  bind_filter(input, scope, clauses, plan);
  TableCalls table_calls(input, scope, clauses);
  table_calls.apply(plan);
  KeyChange key(input, scope, clauses, names);
  Aggregation aggregation(input, scope, clauses);
  ExprBinder binder(context, scope);
  if (clauses.aggregated) {
    aggregation.apply(plan, key);
    binder.intercept = [&](const ast::ExprPtr& expr) { return aggregation.replace_item(expr); };
  } else {
    check_plain(query, clauses, lifts(Lifted::any_join, context.properties));
    table_calls.shift(key.partition(plan));
    binder.intercept = [&](const ast::ExprPtr& expr) { return table_calls.replace(expr); };
  }
  Ranking ranking(input, scope, clauses);
  ranking.apply(plan, binder);
  Projection projection(input, scope, clauses, plan);
  projection.on_columns = std::move(on_columns);
  projection.bind(binder);

  result.root = projection.node();
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

BoundSelect bind_inner(const ast::Query& query, const BindContext& context, const NamedQueries* named) {
  if (query.limit)
    throw SqlError(Code::not_supported, query.span, "LIMIT is not supported in a query within another one.");
  return bind(
      SelectInput{.query = query, .context = context, .sink = {}, .inner = true, .named = named, .final_stream = true},
      {});
}

}  // namespace millrace::inline planner
