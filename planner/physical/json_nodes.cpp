#include <algorithm>

#include "planner/physical/json_codec.h"

namespace millrace::inline planner::plan_json {
namespace {

// One pair of functions for each type that fields of nodes have.

using plan_json::write;

template <class T>
requires std::is_enum_v<T> json::value write(T value) {
  return static_cast<int>(value);
}
json::value write(bool value) {
  return value;
}
json::value write(int value) {
  return value;
}
json::value write(std::int64_t value) {
  return value;
}
json::value write(const std::string& value) {
  return json::string(value);
}
json::value write(NullKey value) {
  return value == NullKey::drop;
}
json::value write(EmitPolicy value) {
  return value == EmitPolicy::final;
}
json::value write(const std::optional<std::int64_t>& value) {
  return value ? json::value(*value) : json::value();
}
json::value write(const std::vector<std::size_t>& value) {
  return json::value_from(value);
}

json::value write(const std::optional<TimestampColumn>& timestamp) {
  if (!timestamp) return nullptr;
  json::object out{{"column", timestamp->column}};
  if (timestamp->format) out["format"] = *timestamp->format;
  return out;
}

json::value write(const std::optional<WindowSpec>& window) {
  if (!window) return nullptr;
  json::object out{{"type", static_cast<int>(window->type)},
                   {"size", window->size_ms},
                   {"advance", window->advance_ms},
                   {"grace", window->grace_ms},
                   {"retention", window->retention_ms}};
  if (window->by_clock) out["clock"] = true;
  return out;
}

json::value write(const SortKey& key) {
  return {{"expr", plan_json::write(key.expr)}, {"descending", key.descending}, {"nullsFirst", key.nulls_first}};
}

json::value write(const ProjectItem& item) {
  return {{"column", plan_json::write(item.column)}, {"expr", plan_json::write(item.expr)}};
}

template <class Call>
json::object write_call(const Call& call) {
  json::array arguments;
  for (const auto& argument : call.arguments) arguments.push_back(plan_json::write(argument));
  json::object out{{"arguments", arguments}, {"column", plan_json::write(call.column)}};
  write_function(*call.function, call.variant, out);
  return out;
}

json::value write(const TableCall& call) {
  return write_call(call);
}

json::value write(const AggregateCall& call) {
  json::object out = write_call(call);
  json::array constants;
  for (const auto& constant : call.constants) constants.push_back(plan_json::write(constant));
  out["constants"] = constants;
  if (call.limit >= 0) out["limit"] = call.limit;
  if (call.filter) out["filter"] = plan_json::write(call.filter);
  if (call.distinct) out["distinct"] = true;
  if (call.first >= 0) out["first"] = call.first;
  if (call.order.empty()) return out;
  json::array order;
  for (const SortKey& key : call.order) order.push_back(write(key));
  out["order"] = std::move(order);
  return out;
}

json::value write(const OverCall& call) {
  const OverFrame& frame = call.frame;
  return {{"call", write(call.call)},           {"range", frame.range},      {"start", static_cast<int>(frame.start)},
          {"end", static_cast<int>(frame.end)}, {"startBy", frame.start_by}, {"endBy", frame.end_by},
          {"startReal", frame.start_real},      {"endReal", frame.end_real}, {"ignoreNulls", call.ignore_nulls}};
}

json::value write(const WindowLimit& limit) {
  return {{"bound", static_cast<int>(limit.bound)},
          {"op", static_cast<int>(limit.op)},
          {"value", plan_json::write(limit.value)}};
}

json::value write(const KeyAccess& access) {
  json::array key, limits;
  for (const ExprPtr& part : access.key) key.push_back(plan_json::write(part));
  for (const WindowLimit& limit : access.limits) limits.push_back(write(limit));
  return {{"key", std::move(key)}, {"limits", std::move(limits)}};
}

template <HasParts Part>
json::value write(const std::vector<Part>& parts) {
  json::array out;
  for (const Part& part : parts) out.push_back(write(part));
  return out;
}

class Reader {
 public:
  explicit Reader(const FunctionCatalog& functions) : functions_(functions) {}

  template <class T>
  requires std::is_enum_v<T>
  void read(const json::value& from, T& to) const { to = static_cast<T>(from.to_number<int>()); }
  void read(const json::value& from, bool& to) const { to = from.as_bool(); }
  void read(const json::value& from, int& to) const { to = from.to_number<int>(); }
  void read(const json::value& from, std::int64_t& to) const { to = from.to_number<std::int64_t>(); }
  void read(const json::value& from, std::string& to) const { to = std::string(from.as_string()); }
  void read(const json::value& from, NullKey& to) const { to = from.as_bool() ? NullKey::drop : NullKey::keep; }
  void read(const json::value& from, EmitPolicy& to) const {
    to = from.as_bool() ? EmitPolicy::final : EmitPolicy::changes;
  }
  void read(const json::value& from, std::optional<std::int64_t>& to) const {
    if (!from.is_null()) to = from.to_number<std::int64_t>();
  }
  void read(const json::value& from, std::vector<std::size_t>& to) const {
    to = json::value_to<std::vector<std::size_t>>(from);
  }
  void read(const json::value& from, FormatInfo& to) const { to = read_format(from); }
  void read(const json::value& from, ColumnDef& to) const { to = read_column(from); }
  void read(const json::value& from, Schema& to) const { to = read_schema(from); }
  void read(const json::value& from, std::optional<WindowInfo>& to) const { to = read_window(from); }
  void read(const json::value& from, ExprPtr& to) const { to = read_expr(from, functions_); }
  void read(const json::value& from, std::optional<TimestampColumn>& to) const {
    if (from.is_null()) return;
    to = TimestampColumn{.column = from.at("column").to_number<std::size_t>(), .format = {}};
    if (const auto* format = from.as_object().if_contains("format")) to->format = std::string(format->as_string());
  }
  void read(const json::value& from, std::optional<WindowSpec>& to) const {
    if (from.is_null()) return;
    const auto ms = [&](std::string_view key) { return from.at(key).to_number<std::int64_t>(); };
    to = WindowSpec{.type = static_cast<WindowType>(ms("type")),
                    .size_ms = ms("size"),
                    .advance_ms = ms("advance"),
                    .grace_ms = ms("grace"),
                    .retention_ms = ms("retention"),
                    .by_clock = from.as_object().contains("clock")};
  }
  void read(const json::value& from, ProjectItem& to) const {
    to = {read_column(from.at("column")), read_expr(from.at("expr"), functions_)};
  }
  void read(const json::value& from, TableCall& to) const { read_call(from.as_object(), to); }
  void read(const json::value& from, AggregateCall& to) const {
    read_call(from.as_object(), to);
    for (const auto& constant : from.at("constants").as_array()) to.constants.push_back(read_value(constant));
    if (const auto* limit = from.as_object().if_contains("limit")) to.limit = limit->to_number<std::int64_t>();
    if (const auto* filter = from.as_object().if_contains("filter")) to.filter = read_expr(*filter, functions_);
    to.distinct = from.as_object().contains("distinct");
    if (const auto* first = from.as_object().if_contains("first")) to.first = first->to_number<std::int64_t>();
    if (const auto* order = from.as_object().if_contains("order")) read(*order, to.order);
  }
  void read(const json::value& from, OverCall& to) const {
    read(from.at("call"), to.call);
    to.frame = {.range = from.at("range").as_bool(),
                .start = static_cast<OverFrame::Edge>(from.at("start").to_number<int>()),
                .end = static_cast<OverFrame::Edge>(from.at("end").to_number<int>()),
                .start_by = from.at("startBy").to_number<std::int64_t>(),
                .end_by = from.at("endBy").to_number<std::int64_t>(),
                .start_real = from.at("startReal").to_number<double>(),
                .end_real = from.at("endReal").to_number<double>()};
    to.ignore_nulls = from.at("ignoreNulls").as_bool();
  }
  void read(const json::value& from, WindowLimit& to) const {
    to = {static_cast<PseudoColumn>(from.at("bound").to_number<int>()),
          static_cast<CompareOp>(from.at("op").to_number<int>()), read_expr(from.at("value"), functions_)};
  }
  void read(const json::value& from, KeyAccess& to) const {
    read(from.at("key"), to.key);
    read(from.at("limits"), to.limits);
  }
  void read(const json::value& from, SortKey& to) const {
    to = {read_expr(from.at("expr"), functions_), from.at("descending").as_bool(), from.at("nullsFirst").as_bool()};
  }
  template <HasParts Part>
  void read(const json::value& from, std::vector<Part>& to) const {
    for (const auto& item : from.as_array()) read(item, to.emplace_back());
  }

 private:
  template <class Call>
  void read_call(const json::object& from, Call& to) const {
    std::tie(to.function, to.variant) = read_function(from, functions_);
    for (const auto& argument : from.at("arguments").as_array())
      to.arguments.push_back(read_expr(argument, functions_));
    to.column = read_column(from.at("column"));
  }

  const FunctionCatalog& functions_;
};

template <class Node>
void write_fields(const Node& node, json::object& out) {
  [[maybe_unused]] static const Node kDefault{};
  for_each_field<Node>([&](const auto& field) {
    const auto& value = node.*(field.member);
    if (!field.may_lack || !same(value, kDefault.*(field.member))) out[field.name] = write(value);
  });
}

template <class Node>
AnyNode read_fields(const json::object& from, const FunctionCatalog& functions) {
  Node node{};
  std::size_t next = 0;
  const auto& inputs = from.at("inputs").as_array();
  for_each_input<Node>([&](auto input) { node.*input = read_node(inputs.at(next++), functions); });
  const Reader reader(functions);
  for_each_field<Node>([&](const auto& field) {
    if (field.may_lack && !from.contains(field.name)) return;
    reader.read(from.at(field.name), node.*(field.member));
  });
  return node;
}

// Finds the node of that name among all there are.
template <std::size_t I = 0>
AnyNode read_named(std::string_view name, const json::object& from, const FunctionCatalog& functions) {
  if constexpr (I == std::variant_size_v<AnyNode>) {
    malformed("operator");
  } else {
    using Node = std::variant_alternative_t<I, AnyNode>;
    if (Node::kTraits.name == name) return read_fields<Node>(from, functions);
    return read_named<I + 1>(name, from, functions);
  }
}

}  // namespace

json::value write(const NodePtr& node) {
  json::object out{{"op", node_name(*node)}};
  std::visit([&](const auto& n) { write_fields(n, out); }, node->node);
  json::array inputs;
  for (const auto& input : inputs_of(*node)) inputs.push_back(plan_json::write(input));
  out["inputs"] = inputs;
  return out;
}

NodePtr read_node(const json::value& value, const FunctionCatalog& functions) {
  const json::object& from = value.as_object();
  return make_node(read_named(from.at("op").as_string(), from, functions));
}

}  // namespace millrace::inline planner::plan_json
