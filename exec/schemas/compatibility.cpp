#include "exec/schemas/compatibility.h"

#include <fmt/format.h>

#include "exec/schemas/avro_schema.h"
#include "exec/schemas/json_documents.h"
#include "exec/schemas/proto_schema.h"
#include "exec/schemas/reading_rules.h"

namespace millrace::inline exec {

Status check_schema(SchemaKind kind, const SchemaText& schema) {
  if (kind == SchemaKind::avro) {
    auto parsed = avro::parse(schema);
    return parsed ? avro::validate(**parsed) : parsed.error();
  }
  if (kind == SchemaKind::protobuf) {
    auto parsed = proto::parse(schema);
    return parsed ? Status() : parsed.error();
  }
  auto parsed = json_schema::Documents::parse(schema);
  if (!parsed) return parsed.error();
  const auto& root = parsed->root();
  if (!root.is_object() && !root.is_bool()) return user_error("not a JSON Schema: it must be an object");
  return {};
}

Result<std::optional<std::string>> reading_fault(SchemaKind kind, const SchemaText& reader, const SchemaText& writer,
                                                 ContentPolicy policy) {
  if (kind == SchemaKind::avro) {
    auto now = avro::parse(reader), old = avro::parse(writer);
    if (!now) return now.error();
    if (!old) return old.error();
    return avro_reading_fault(*(*now)->root, *(*old)->root);
  }
  if (kind == SchemaKind::protobuf) {
    auto now = proto::parse(reader), old = proto::parse(writer);
    if (!now) return now.error();
    if (!old) return old.error();
    return proto_reading_fault(**now, **old);
  }
  return json_reading_fault(reader, writer, policy);
}

Result<std::optional<std::string>> compatibility_fault(const CompatibilityRule& rule,
                                                       const std::vector<KnownSchema>& history,
                                                       const KnownSchema& next) {
  const Compatibility level = rule.level;
  if (level == Compatibility::none || history.empty()) return Finding();
  const bool all = level == Compatibility::backward_transitive || level == Compatibility::forward_transitive ||
                   level == Compatibility::full_transitive;
  const bool backward = level != Compatibility::forward && level != Compatibility::forward_transitive;
  const bool forward = level != Compatibility::backward && level != Compatibility::backward_transitive;
  for (std::size_t i = history.size(); i > (all ? 0 : history.size() - 1); --i) {
    const KnownSchema& old = history[i - 1];
    if (old.kind != next.kind)
      return Finding(
          fmt::format("the subject holds {} schemas, not {}", schema_kind_name(old.kind), schema_kind_name(next.kind)));
    for (const bool reads_old : {true, false}) {
      if (!(reads_old ? backward : forward)) continue;
      auto found = reads_old ? reading_fault(next.kind, next.schema, old.schema, rule.policy)
                             : reading_fault(next.kind, old.schema, next.schema, rule.policy);
      if (!found || *found) return found;
    }
  }
  return Finding();
}

}  // namespace millrace::inline exec
