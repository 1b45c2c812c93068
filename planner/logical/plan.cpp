#include "planner/logical/plan.h"

#include "parser/error/ensure.h"

namespace millrace::inline planner {
namespace {

void append_as_values(const Schema& from, Schema& to) {
  for (ColumnDef column : from.columns) {
    column.role = ColumnRole::value;
    column.header_key.reset();
    to.columns.push_back(std::move(column));
  }
}

/// Schema, kind and window of a node, from its inputs.
struct Derive {
  PlanNode& made;

  void same_as(const NodePtr& input) const {
    made.schema = input->schema;
    made.kind = input->kind;
    made.window = input->window;
  }
  void join(const ColumnDef& key, const NodePtr& left, const NodePtr& right, RelationKind kind) const {
    made.schema.columns.push_back(key);
    made.schema.columns.back().role = ColumnRole::key;
    append_as_values(left->schema, made.schema);
    append_as_values(right->schema, made.schema);
    made.kind = kind;
    made.window = left->window;
  }

  void operator()(const SourceNode&) const { ensure(false, "sources are made by make_source"); }
  void operator()(const FilterNode& n) const { same_as(n.input); }
  void operator()(const ProjectNode& n) const {
    same_as(n.input);
    made.schema.columns.clear();
    for (const auto& item : n.items) made.schema.columns.push_back(item.column);
  }
  void operator()(const FlatMapNode& n) const {
    same_as(n.input);
    for (const auto& call : n.calls) made.schema.columns.push_back(call.column);
  }
  void operator()(const RekeyNode& n) const {
    for (const auto& item : n.keys) {
      made.schema.columns.push_back(item.column);
      made.schema.columns.back().role = ColumnRole::key;
    }
    append_as_values(n.input->schema, made.schema);
    made.kind = n.input->kind;  // the window belonged to the old key
  }
  void operator()(const RepartitionNode& n) const { same_as(n.input); }
  void operator()(const CombineNode& n) const {
    same_as(n.input);
    made.schema.columns.push_back(ColumnDef{"STATES", Type::bytes(), ColumnRole::value, std::nullopt});
  }
  void operator()(const AggregateNode& n) const {
    if (!n.global) made.schema.columns = n.input->schema.keys();
    for (const auto& call : n.calls) made.schema.columns.push_back(call.column);
    made.kind = RelationKind::table;
    made.window = n.input->window;
    if (n.window) {
      made.window = WindowInfo{.type = n.window->type, .size_ms = n.window->size_ms};
      if (n.window->type == WindowType::session) made.window->size_ms.reset();
    }
  }
  void operator()(const StreamTableJoinNode& n) const { join(n.key, n.left, n.right, RelationKind::stream); }
  void operator()(const StreamStreamJoinNode& n) const { join(n.key, n.left, n.right, RelationKind::stream); }
  void operator()(const TableTableJoinNode& n) const { join(n.key, n.left, n.right, RelationKind::table); }
  void operator()(const ForeignKeyJoinNode& n) const {
    made.schema.columns = n.left->schema.keys();
    append_as_values(n.left->schema, made.schema);
    append_as_values(n.right->schema, made.schema);
    made.kind = RelationKind::table;
    made.window = n.left->window;
  }
  void operator()(const MaterializeNode& n) const { same_as(n.input); }
  void operator()(const SinkNode& n) const { same_as(n.input); }
  void operator()(const OutputNode& n) const { same_as(n.input); }
};

struct Name {
  std::string_view operator()(const SourceNode&) const { return "source"; }
  std::string_view operator()(const FilterNode&) const { return "filter"; }
  std::string_view operator()(const ProjectNode&) const { return "project"; }
  std::string_view operator()(const FlatMapNode&) const { return "flat_map"; }
  std::string_view operator()(const RekeyNode&) const { return "rekey"; }
  std::string_view operator()(const RepartitionNode&) const { return "repartition"; }
  std::string_view operator()(const CombineNode&) const { return "combine"; }
  std::string_view operator()(const AggregateNode&) const { return "aggregate"; }
  std::string_view operator()(const StreamTableJoinNode&) const { return "stream_table_join"; }
  std::string_view operator()(const StreamStreamJoinNode&) const { return "stream_stream_join"; }
  std::string_view operator()(const TableTableJoinNode&) const { return "table_table_join"; }
  std::string_view operator()(const ForeignKeyJoinNode&) const { return "foreign_key_join"; }
  std::string_view operator()(const MaterializeNode&) const { return "materialize"; }
  std::string_view operator()(const SinkNode&) const { return "sink"; }
  std::string_view operator()(const OutputNode&) const { return "output"; }
};

}  // namespace

NodePtr make_source(SourceNode source, RelationKind kind, std::optional<WindowInfo> window) {
  auto made = std::make_shared<PlanNode>();
  for (const std::size_t column : source.read) made->schema.columns.push_back(source.declared.columns.at(column));
  made->kind = kind;
  made->window = window;
  made->node = std::move(source);
  return made;
}

NodePtr make_node(decltype(PlanNode::node) node) {
  auto made = std::make_shared<PlanNode>();
  made->node = std::move(node);
  std::visit(Derive{*made}, made->node);
  return made;
}

std::vector<NodePtr> inputs_of(const PlanNode& node) {
  return std::visit(
      [](const auto& n) -> std::vector<NodePtr> {
        if constexpr (requires { n.left; }) {
          return {n.left, n.right};
        } else if constexpr (requires { n.input; }) {
          return {n.input};
        } else {
          return {};
        }
      },
      node.node);
}

NodePtr with_inputs(const PlanNode& node, std::vector<NodePtr> inputs) {
  auto copy = node.node;
  const bool leaf = std::visit(
      [&](auto& n) {
        if constexpr (requires { n.left; }) {
          n.left = std::move(inputs.at(0));
          n.right = std::move(inputs.at(1));
          return false;
        } else if constexpr (requires { n.input; }) {
          n.input = std::move(inputs.at(0));
          return false;
        } else {
          return true;
        }
      },
      copy);
  if (leaf) return std::make_shared<PlanNode>(node);
  return make_node(std::move(copy));
}

std::string_view node_name(const PlanNode& node) {
  return std::visit(Name{}, node.node);
}

}  // namespace millrace::inline planner
