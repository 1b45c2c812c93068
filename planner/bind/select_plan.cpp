#include "planner/bind/select_plan.h"

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/formats.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {

bool KeyedPlan::has_key(const std::vector<ast::ExprPtr>& exprs) const {
  if (exprs.size() != 1 || keys.size() != 1 || keys[0].candidates.empty()) return false;
  return ast::equal(*exprs[0], *keys[0].candidates.front());
}

ProjectItem key_item(std::string name, ExprPtr bound, Span span) {
  ColumnDef column{.name = std::move(name), .type = bound->type, .role = ColumnRole::key};
  check_no_map_key({column}, span);
  return {std::move(column), std::move(bound)};
}

ProjectItem single_key() {
  return {ColumnDef{.name = "ROWKEY", .type = Type::integer(), .role = ColumnRole::key},
          make_literal(Value(std::int32_t{0}), Type::integer())};
}

ProjectItem bound_item(PseudoColumn bound, ColumnRole role, Span span) {
  return {ColumnDef{.name = std::string(pseudo_column_name(bound)), .type = Type::bigint(), .role = role},
          make_expr(PseudoExpr{bound}, Type::bigint(), span)};
}

NodePtr make_leaf(const ScopeSource& source, bool broadcast) {
  if (source.plan) return source.plan;
  const SourceDef& def = *source.def;
  SourceNode node{.name = def.name,
                  .topic = def.topic,
                  .declared = def.schema,
                  .read = {},
                  .key_format = def.key_format,
                  .value_format = def.value_format,
                  .timestamp = std::nullopt};
  node.partitions = def.partitions;
  if (def.window && def.kind == RelationKind::table)
    node.retention_ms = def.window_retention_ms.value_or(def.window->size_ms.value_or(0) + kMillisPerDay);
  node.broadcast = broadcast;
  node.idle_ms = def.idle_timeout_ms;
  for (std::size_t i = 0; i < def.schema.size(); ++i) node.read.push_back(i);
  if (def.timestamp_column) {
    node.timestamp = TimestampColumn{.column = *def.schema.find(*def.timestamp_column), .format = def.timestamp_format};
  }
  node.ready = source.ready;
  NodePtr leaf = make_source(std::move(node), def.kind, def.window);
  return def.history_ms && !source.versions ? make_node(NewestNode{std::move(leaf), *def.history_ms}) : leaf;
}

KeyedPlan bind_single(const Scope& scope) {
  KeyedPlan plan;
  plan.node = make_leaf(scope.sources[0]);
  const auto& source = scope.sources[0];
  for (const auto& column : source.columns) {
    if (column.role != ColumnRole::key) continue;
    plan.keys.push_back({column.position, column.type, {make_ast_column(source.alias, column.name, {})}});
  }
  plan.key_format = source.def->key_format;
  return plan;
}

void bind_filter(const SelectInput& input, const Scope& scope, const Clauses& clauses, KeyedPlan& plan) {
  if (!clauses.where) return;
  if (has_call_of(input.context.functions, clauses.where, FunctionKind::table)) {
    throw SqlError(Code::invalid_aggregate, clauses.where->span, "Table functions cannot be used in WHERE clauses.");
  }
  Scope plain = scope;
  plain.window_aggregation = false;
  ExprBinder binder(input.context, plain);
  auto predicate = bind_predicate(binder, clauses.where, scope, "WHERE");
  plan.node = make_node(FilterNode{plan.node, std::move(predicate)});
}

}  // namespace millrace::inline planner
