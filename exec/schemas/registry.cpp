#include "exec/schemas/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "planner/types/topic_name.h"

namespace millrace::inline exec {
namespace {

constexpr std::array<std::string_view, 3> kKinds = {"AVRO", "JSON", "PROTOBUF"};
constexpr std::array<std::string_view, 7> kLevels = {
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"};
constexpr int kMaxReferenceDepth = 32;

template <class Enum, std::size_t N>
std::optional<Enum> find_word(const std::array<std::string_view, N>& words, std::string_view name) {
  const auto found = std::ranges::find(words, name);
  if (found == words.end()) return std::nullopt;
  return static_cast<Enum>(found - words.begin());
}

Status collect(SchemaRegistry& registry, const SchemaSource& schema, SchemaText& out, int depth) {
  if (depth > kMaxReferenceDepth) return user_error("the references of a schema go in circles");
  for (const SchemaReference& reference : schema.references) {
    const auto known = std::ranges::find(out.imports, reference.name, [](const auto& import) { return import.first; });
    if (known != out.imports.end()) continue;
    auto found = registry.find(reference.subject, reference.version);
    if (!found) return found.error();
    if (!*found)
      return user_error("a schema refers to version {} of subject {}, which is not there", reference.version,
                        reference.subject);
    if (auto done = collect(registry, (*found)->schema, out, depth + 1); !done) return done;
    out.imports.emplace_back(reference.name, (*found)->schema.text);
  }
  return {};
}

}  // namespace

std::string_view schema_kind_name(SchemaKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}
std::optional<SchemaKind> find_schema_kind(std::string_view name) {
  return find_word<SchemaKind>(kKinds, name);
}
std::optional<SchemaKind> schema_kind_of_format(std::string_view format) {
  if (format == "JSON_SR") return SchemaKind::json;
  if (format == "DEBEZIUM_AVRO") return SchemaKind::avro;
  return format == "JSON" ? std::nullopt : find_schema_kind(format);
}

std::string_view compatibility_name(Compatibility level) {
  return kLevels[static_cast<std::size_t>(level)];
}
std::optional<Compatibility> find_compatibility(std::string_view name) {
  return find_word<Compatibility>(kLevels, name);
}

Result<SchemaText> resolve(SchemaRegistry& registry, const SchemaSource& schema) {
  SchemaText out;
  if (auto done = collect(registry, schema, out, 0); !done) return done.error();
  out.text = schema.text;
  return out;
}

std::string subject_name(std::string_view topic, bool is_key) {
  return fmt::format("{}-{}", split_topic(topic).name, is_key ? "key" : "value");
}

std::string subject_of(const FormatInfo& format, std::string_view topic, bool is_key) {
  if (format.naming == SubjectNaming::topic) return subject_name(topic, is_key);
  return format.naming == SubjectNaming::record ? format.full_name
                                                : fmt::format("{}-{}", split_topic(topic).name, format.full_name);
}

}  // namespace millrace::inline exec
