#include <algorithm>

#include "planner/physical/json_codec.h"

namespace millrace::inline planner::plan_json {
namespace {

json::value write(const std::optional<TimestampColumn>& timestamp) {
  if (!timestamp) return nullptr;
  json::object out{{"column", timestamp->column}};
  if (timestamp->format) out["format"] = *timestamp->format;
  return out;
}

std::optional<TimestampColumn> read_timestamp(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const json::object& from = value.as_object();
  TimestampColumn column{.column = from.at("column").to_number<std::size_t>(), .format = {}};
  if (const auto* format = from.if_contains("format")) column.format = std::string(format->as_string());
  return column;
}

json::value write_items(const std::vector<ProjectItem>& items) {
  json::array out;
  for (const auto& item : items)
    out.push_back({{"column", plan_json::write(item.column)}, {"expr", plan_json::write(item.expr)}});
  return out;
}

json::object write_call(const FunctionDef& function, std::size_t variant, const std::vector<ExprPtr>& arguments,
                        const ColumnDef& column) {
  json::array list;
  for (const auto& argument : arguments) list.push_back(plan_json::write(argument));
  json::object out{{"arguments", list}, {"column", plan_json::write(column)}};
  write_function(function, variant, out);
  return out;
}

json::array write_calls(const std::vector<AggregateCall>& calls) {
  json::array out;
  for (const auto& call : calls) {
    json::object written = write_call(*call.function, call.variant, call.arguments, call.column);
    json::array constants;
    for (const auto& constant : call.constants) constants.push_back(plan_json::write(constant));
    written["constants"] = constants;
    if (call.limit >= 0) written["limit"] = call.limit;
    out.push_back(written);
  }
  return out;
}

json::value write_spec(const std::optional<WindowSpec>& window) {
  if (!window) return nullptr;
  return {{"type", static_cast<int>(window->type)},
          {"size", window->size_ms},
          {"advance", window->advance_ms},
          {"grace", window->grace_ms},
          {"retention", window->retention_ms}};
}

struct WriteNode {
  const PlanNode& node;
  json::object& out;

  void operator()(const SourceNode& n) const {
    endpoint(n);
    out["declared"] = plan_json::write(n.declared);
    out["read"] = json::value_from(n.read);
    out["partitions"] = n.partitions;
    out["kind"] = static_cast<int>(node.kind);
    out["window"] = plan_json::write(node.window);
  }
  void operator()(const FilterNode& n) const {
    out["predicate"] = plan_json::write(n.predicate);
    out["retract"] = n.retract;
  }
  void operator()(const ProjectNode& n) const { out["items"] = write_items(n.items); }
  void operator()(const FlatMapNode& n) const {
    json::array calls;
    for (const auto& call : n.calls)
      calls.push_back(write_call(*call.function, call.variant, call.arguments, call.column));
    out["calls"] = calls;
  }
  void operator()(const RekeyNode& n) const {
    out["keys"] = write_items(n.keys);
    out["drop_null"] = n.null_key == NullKey::drop;
  }
  void operator()(const RepartitionNode& n) const {
    out["role"] = n.role;
    out["key_format"] = plan_json::write(n.key_format);
    out["partitions"] = n.partitions;
  }
  void operator()(const CombineNode& n) const { out["calls"] = write_calls(n.calls); }
  void operator()(const AggregateNode& n) const {
    out["calls"] = write_calls(n.calls);
    if (n.combined) out["combined"] = true;
    out["window"] = write_spec(n.window);
    out["final"] = n.emit == EmitPolicy::final;
    out["global"] = n.global;
    out["emit_before"] = n.emit_before;
  }
  void operator()(const StreamTableJoinNode& n) const { join(n); }
  void operator()(const StreamStreamJoinNode& n) const {
    join(n);
    out["before"] = n.before_ms;
    out["after"] = n.after_ms;
    if (n.grace_ms) out["grace"] = *n.grace_ms;
  }
  void operator()(const TableTableJoinNode& n) const { join(n); }
  void operator()(const ForeignKeyJoinNode& n) const {
    out["type"] = static_cast<int>(n.type);
    out["foreign_key"] = plan_json::write(n.foreign_key);
  }
  void operator()(const MaterializeNode& n) const { out["emit_before"] = n.emit_before; }
  void operator()(const SinkNode& n) const { endpoint(n); }
  void operator()(const OutputNode& n) const {
    if (n.limit) out["limit"] = *n.limit;
    json::array columns;
    for (const std::size_t column : n.columns) columns.emplace_back(column);
    if (!columns.empty()) out["columns"] = std::move(columns);
  }

 private:
  template <class Endpoint>
  void endpoint(const Endpoint& n) const {
    out["name"] = n.name;
    out["topic"] = n.topic;
    out["key_format"] = plan_json::write(n.key_format);
    out["value_format"] = plan_json::write(n.value_format);
    out["timestamp"] = write(n.timestamp);
    out["internal"] = n.internal;
  }
  template <class Join>
  void join(const Join& n) const {
    out["type"] = static_cast<int>(n.type);
    out["key"] = plan_json::write(n.key);
  }
};

class ReadNode {
 public:
  ReadNode(const json::object& from, const FunctionCatalog& functions) : from_(from), functions_(functions) {
    for (const auto& input : from.at("inputs").as_array()) inputs_.push_back(read_node(input, functions));
  }

  NodePtr read() const {
    const std::string_view name = from_.at("op").as_string();
    const auto at =
        std::find_if(std::begin(kReaders), std::end(kReaders), [&](const auto& row) { return row.name == name; });
    if (at == std::end(kReaders)) malformed("operator");
    return (this->*(at->read))();
  }

 private:
  struct Row {
    std::string_view name;
    NodePtr (ReadNode::*read)() const;
  };

  NodePtr input(std::size_t i = 0) const { return inputs_.at(i); }
  bool flag(std::string_view key) const { return from_.at(key).as_bool(); }
  std::string text(std::string_view key) const { return std::string(from_.at(key).as_string()); }
  template <class T>
  T number(std::string_view key) const {
    return from_.at(key).to_number<T>();
  }
  std::optional<std::int64_t> optional_number(std::string_view key) const {
    if (!from_.contains(key)) return std::nullopt;
    return number<std::int64_t>(key);
  }
  JoinType join_type() const { return static_cast<JoinType>(number<int>("type")); }
  std::vector<ProjectItem> items(std::string_view key) const {
    std::vector<ProjectItem> out;
    for (const auto& item : from_.at(key).as_array())
      out.push_back({read_column(item.at("column")), read_expr(item.at("expr"), functions_)});
    return out;
  }
  template <class Call>
  Call call(const json::object& from) const {
    Call out{};
    std::tie(out.function, out.variant) = read_function(from, functions_);
    for (const auto& argument : from.at("arguments").as_array())
      out.arguments.push_back(read_expr(argument, functions_));
    out.column = read_column(from.at("column"));
    return out;
  }
  std::vector<AggregateCall> aggregate_calls() const {
    std::vector<AggregateCall> out;
    for (const auto& item : from_.at("calls").as_array()) {
      out.push_back(call<AggregateCall>(item.as_object()));
      for (const auto& constant : item.at("constants").as_array()) out.back().constants.push_back(read_value(constant));
      if (const auto* limit = item.as_object().if_contains("limit"))
        out.back().limit = limit->to_number<std::int64_t>();
    }
    return out;
  }
  template <class Endpoint>
  void endpoint(Endpoint& n) const {
    n.name = text("name");
    n.topic = text("topic");
    n.key_format = read_format(from_.at("key_format"));
    n.value_format = read_format(from_.at("value_format"));
    n.timestamp = read_timestamp(from_.at("timestamp"));
    n.internal = flag("internal");
  }

  NodePtr source() const {
    SourceNode n;
    endpoint(n);
    n.declared = read_schema(from_.at("declared"));
    n.read = json::value_to<std::vector<std::size_t>>(from_.at("read"));
    n.partitions = number<int>("partitions");
    return make_source(std::move(n), static_cast<RelationKind>(number<int>("kind")), read_window(from_.at("window")));
  }
  NodePtr filter() const {
    return make_node(FilterNode{
        .input = input(), .predicate = read_expr(from_.at("predicate"), functions_), .retract = flag("retract")});
  }
  NodePtr project() const { return make_node(ProjectNode{.input = input(), .items = items("items")}); }
  NodePtr flat_map() const {
    FlatMapNode n{.input = input(), .calls = {}};
    for (const auto& item : from_.at("calls").as_array()) n.calls.push_back(call<TableCall>(item.as_object()));
    return make_node(std::move(n));
  }
  NodePtr rekey() const {
    return make_node(RekeyNode{
        .input = input(), .keys = items("keys"), .null_key = flag("drop_null") ? NullKey::drop : NullKey::keep});
  }
  NodePtr repartition() const {
    return make_node(RepartitionNode{.input = input(),
                                     .role = text("role"),
                                     .key_format = read_format(from_.at("key_format")),
                                     .partitions = number<int>("partitions")});
  }
  NodePtr combine() const { return make_node(CombineNode{.input = input(), .calls = aggregate_calls()}); }
  NodePtr aggregate() const {
    AggregateNode n{.input = input(), .calls = aggregate_calls(), .window = {}};
    if (const auto& window = from_.at("window"); !window.is_null()) {
      const auto ms = [&](std::string_view key) { return window.at(key).to_number<std::int64_t>(); };
      n.window = WindowSpec{.type = static_cast<WindowType>(ms("type")),
                            .size_ms = ms("size"),
                            .advance_ms = ms("advance"),
                            .grace_ms = ms("grace"),
                            .retention_ms = ms("retention")};
    }
    n.emit = flag("final") ? EmitPolicy::final : EmitPolicy::changes;
    n.global = flag("global");
    n.combined = from_.contains("combined");
    n.emit_before = flag("emit_before");
    return make_node(std::move(n));
  }
  NodePtr stream_table_join() const {
    return make_node(StreamTableJoinNode{
        .left = input(0), .right = input(1), .type = join_type(), .key = read_column(from_.at("key"))});
  }
  NodePtr stream_stream_join() const {
    return make_node(StreamStreamJoinNode{.left = input(0),
                                          .right = input(1),
                                          .type = join_type(),
                                          .key = read_column(from_.at("key")),
                                          .before_ms = number<std::int64_t>("before"),
                                          .after_ms = number<std::int64_t>("after"),
                                          .grace_ms = optional_number("grace")});
  }
  NodePtr table_table_join() const {
    return make_node(TableTableJoinNode{
        .left = input(0), .right = input(1), .type = join_type(), .key = read_column(from_.at("key"))});
  }
  NodePtr foreign_key_join() const {
    return make_node(ForeignKeyJoinNode{.left = input(0),
                                        .right = input(1),
                                        .type = join_type(),
                                        .foreign_key = read_expr(from_.at("foreign_key"), functions_)});
  }
  NodePtr materialize() const {
    return make_node(MaterializeNode{.input = input(), .emit_before = flag("emit_before")});
  }
  NodePtr sink() const {
    SinkNode n;
    n.input = input();
    endpoint(n);
    return make_node(std::move(n));
  }
  NodePtr output() const {
    OutputNode node{.input = input(), .limit = optional_number("limit")};
    if (const auto* columns = from_.if_contains("columns")) {
      for (const auto& column : columns->as_array()) node.columns.push_back(column.to_number<std::size_t>());
    }
    return make_node(std::move(node));
  }

  static constexpr Row kReaders[] = {{"source", &ReadNode::source},
                                     {"filter", &ReadNode::filter},
                                     {"project", &ReadNode::project},
                                     {"flat_map", &ReadNode::flat_map},
                                     {"rekey", &ReadNode::rekey},
                                     {"repartition", &ReadNode::repartition},
                                     {"combine", &ReadNode::combine},
                                     {"aggregate", &ReadNode::aggregate},
                                     {"stream_table_join", &ReadNode::stream_table_join},
                                     {"stream_stream_join", &ReadNode::stream_stream_join},
                                     {"table_table_join", &ReadNode::table_table_join},
                                     {"foreign_key_join", &ReadNode::foreign_key_join},
                                     {"materialize", &ReadNode::materialize},
                                     {"sink", &ReadNode::sink},
                                     {"output", &ReadNode::output}};

  const json::object& from_;
  const FunctionCatalog& functions_;
  std::vector<NodePtr> inputs_;
};

}  // namespace

json::value write(const NodePtr& node) {
  json::object out{{"op", node_name(*node)}};
  std::visit(WriteNode{*node, out}, node->node);
  json::array inputs;
  for (const auto& input : inputs_of(*node)) inputs.push_back(write(input));
  out["inputs"] = inputs;
  return out;
}

NodePtr read_node(const json::value& value, const FunctionCatalog& functions) {
  return ReadNode(value.as_object(), functions).read();
}

}  // namespace millrace::inline planner::plan_json
