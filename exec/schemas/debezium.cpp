#include "exec/schemas/debezium.h"

#include <algorithm>
#include <map>

namespace millrace::inline exec::debezium {
namespace {

using avro::Kind;
using avro::Logical;
using avro::Node;

Logical logical_of(const Node& node) {
  static const std::map<std::string_view, std::pair<Kind, Logical>> kTypes = {
      {"io.debezium.time.Date", {Kind::int_, Logical::date}},
      {"io.debezium.time.Time", {Kind::int_, Logical::time_millis}},
      {"io.debezium.time.MicroTime", {Kind::long_, Logical::time_micros}},
      {"io.debezium.time.Timestamp", {Kind::long_, Logical::timestamp_millis}},
      {"io.debezium.time.MicroTimestamp", {Kind::long_, Logical::timestamp_micros}}};
  const auto found = kTypes.find(node.connect_name);
  return found != kTypes.end() && found->second.first == node.kind ? found->second.second : node.logical;
}

/// Copies what hangs on a node, circles included.
class Copier {
 public:
  explicit Copier(avro::Schema& out) : out_(out) {}

  const Node* copy(const Node& from) {
    if (const auto known = copies_.find(&from); known != copies_.end()) return known->second;
    Node& node = out_.nodes.emplace_back(from);
    copies_.emplace(&from, &node);
    node.logical = logical_of(from);
    for (avro::Field& field : node.fields) field.type = copy(*field.type);
    if (node.element) node.element = copy(*node.element);
    for (const Node*& branch : node.branches) branch = copy(*branch);
    return &node;
  }

 private:
  avro::Schema& out_;
  std::map<const Node*, const Node*> copies_;
};

std::optional<std::size_t> find_field(const Node& record, std::string_view name) {
  const auto found = std::ranges::find(record.fields, name, &avro::Field::name);
  if (found == record.fields.end()) return std::nullopt;
  return static_cast<std::size_t>(found - record.fields.begin());
}

}  // namespace

std::optional<Envelope> find_envelope(const Node& root) {
  if (root.kind != Kind::record) return std::nullopt;
  const auto after = find_field(root, "after"), op = find_field(root, "op");
  if (!after || !op || !find_field(root, "before") || root.fields[*op].type->kind != Kind::string) return std::nullopt;
  return Envelope{&root, *after, *op};
}

avro::SchemaPtr row_schema(const avro::SchemaPtr& whole) {
  const Node* row = whole->root;
  if (const auto envelope = find_envelope(*row)) {
    row = row->fields[envelope->after].type;
    if (const Node* only = row->only_branch()) row = only;
  }
  auto out = std::make_shared<avro::Schema>();
  out->root = Copier(*out).copy(*row);
  return out;
}

}  // namespace millrace::inline exec::debezium
