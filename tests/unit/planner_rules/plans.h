#pragma once

#include "planner/logical/plan.h"

/// Small plans made by hand.
namespace millrace::test {

inline ColumnDef column(std::string name, Type type, ColumnRole role = ColumnRole::value) {
  return ColumnDef{std::move(name), std::move(type), role, std::nullopt};
}

/// ID STRING KEY, A BIGINT, B BIGINT, C STRING.
inline SourceNode source_of(std::string name, int partitions, std::string key_format = "KAFKA") {
  SourceNode node;
  node.name = name;
  node.topic = name;
  node.declared.columns = {column("ID", Type::string(), ColumnRole::key), column("A", Type::bigint()),
                           column("B", Type::bigint()), column("C", Type::string())};
  node.read = {0, 1, 2, 3};
  node.key_format.name = std::move(key_format);
  node.value_format.name = "JSON";
  node.partitions = partitions;
  return node;
}

inline NodePtr stream(std::string name = "S", int partitions = 4, std::string key_format = "KAFKA") {
  return make_source(source_of(std::move(name), partitions, std::move(key_format)), RelationKind::stream, std::nullopt);
}
inline NodePtr table(std::string name = "T", int partitions = 4, std::string key_format = "KAFKA") {
  return make_source(source_of(std::move(name), partitions, std::move(key_format)), RelationKind::table, std::nullopt);
}

inline ExprPtr ref(const NodePtr& input, std::size_t index) {
  const ColumnDef& def = input->schema.columns.at(index);
  return make_column(index, def.type, def.name);
}

inline ExprPtr expr_of(Type type, decltype(Expr::node) node) {
  auto expr = std::make_shared<Expr>();
  expr->type = std::move(type);
  expr->node = std::move(node);
  return expr;
}
inline ExprPtr literal(std::int64_t value) {
  return make_literal(value, Type::bigint());
}
inline ExprPtr greater(ExprPtr left, ExprPtr right) {
  return expr_of(Type::boolean(), CompareExpr{CompareOp::greater, std::move(left), std::move(right)});
}
inline ExprPtr add(ExprPtr left, ExprPtr right) {
  return expr_of(Type::bigint(), ArithmeticExpr{ArithmeticOp::add, std::move(left), std::move(right)});
}

inline NodePtr project(NodePtr input, const std::vector<std::size_t>& columns) {
  ProjectNode node{.input = input, .items = {}};
  for (const std::size_t i : columns) node.items.push_back({input->schema.columns[i], ref(input, i)});
  return make_node(std::move(node));
}
inline NodePtr rekey(NodePtr input, std::size_t index, NullKey null_key = NullKey::keep) {
  ColumnDef key = input->schema.columns[index];
  key.role = ColumnRole::key;
  ExprPtr expr = ref(input, index);
  return make_node(
      RekeyNode{.input = std::move(input), .keys = {{std::move(key), std::move(expr)}}, .null_key = null_key});
}
inline NodePtr filter(NodePtr input, ExprPtr predicate) {
  return make_node(FilterNode{.input = std::move(input), .predicate = std::move(predicate)});
}

inline FunctionCatalog functions() {
  FunctionVariant sum;
  TypePattern bigint;
  bigint.kind = TypePattern::Kind::concrete;
  bigint.type = Type::bigint();
  sum.parameters = {ParameterDef{.name = "x", .type = bigint, .doc = "", .literal = false}};
  sum.returns = bigint;
  sum.undo = true;
  FunctionVariant other = sum;
  other.parameters.front().type.type = Type::string();
  FunctionDef def;
  def.name = "SUM";
  def.kind = FunctionKind::aggregate;
  def.variants = {other, sum};
  FunctionDef combining = def;
  combining.name = "MAX";
  for (auto& variant : combining.variants) variant.combines = true;
  FunctionDef last = def;
  last.name = "LAST";
  for (auto& variant : last.variants) variant.last_wins = true;
  return FunctionCatalog({def, combining, last});
}
inline const FunctionCatalog& catalog() {
  static const FunctionCatalog kCatalog = functions();
  return kCatalog;
}

/// SUM does not combine, MAX does; of LAST the last wins.
inline NodePtr sum(NodePtr input, std::size_t argument, const char* function = "SUM") {
  AggregateNode node{.input = input, .calls = {}, .window = {}};
  node.calls.push_back({.function = catalog().find(function),
                        .variant = 1,
                        .arguments = {ref(input, argument)},
                        .constants = {},
                        .column = column("TOTAL", Type::bigint())});
  return make_node(std::move(node));
}
inline NodePtr join(NodePtr left, NodePtr right, JoinType type = JoinType::inner) {
  ColumnDef key = left->schema.columns[0];
  return make_node(StreamTableJoinNode{.left = std::move(left), .right = std::move(right), .type = type, .key = key});
}
/// Without a time bound.
inline NodePtr join_ever(NodePtr left, NodePtr right, std::optional<std::int64_t> ttl = {}) {
  const ColumnDef key = left->schema.columns[0];
  StreamStreamJoinNode node{std::move(left), std::move(right), JoinType::inner, key, {}, {}, {}};
  node.ttl_ms = ttl;
  return make_node(std::move(node));
}
inline NodePtr sink(NodePtr input) {
  SinkNode node;
  node.input = std::move(input);
  node.name = "OUT";
  node.topic = "OUT";
  node.key_format.name = "KAFKA";
  node.value_format.name = "JSON";
  return make_node(std::move(node));
}

}  // namespace millrace::test
