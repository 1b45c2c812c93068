#include <algorithm>

#include "planner/catalog/formats.h"
#include "server/statements/entities.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

json::object part_json(const SourceDef& source, bool is_key, SchemaRegistry& registry) {
  const FormatInfo& format = is_key ? source.key_format : source.value_format;
  json::object part = subject_json(subject_of(format, source.topic, is_key), is_key, registry);
  part["writtenBy"] = format.schema ? json::value(format.schema->id) : json::value();
  return part;
}

bool has_schema(const FormatInfo& format, bool any_columns) {
  const FormatDef* def = find_format(format.name);
  return def != nullptr && def->registry && any_columns;
}

}  // namespace

json::object subject_json(const std::string& subject, bool is_key, SchemaRegistry& registry) {
  json::object out{{"part", is_key ? "KEY" : "VALUE"}, {"subject", subject}};
  auto found = registry.find(subject, 0);
  if (!found) {
    out["error"] = found.error().message;
  } else if (*found) {
    out["schemaType"] = schema_kind_name((*found)->schema.kind);
    out["version"] = (*found)->version;
    out["id"] = (*found)->id;
  }
  return out;
}

json::array schemas_json(const SourceDef& source, SchemaRegistry& registry) {
  json::array out;
  if (has_schema(source.key_format, !source.schema.keys().empty())) out.push_back(part_json(source, true, registry));
  if (has_schema(source.value_format, !source.schema.values().empty()))
    out.push_back(part_json(source, false, registry));
  return out;
}

json::array topic_schemas_json(const std::string& topic, const std::vector<std::string>& subjects,
                               SchemaRegistry& registry) {
  json::array out;
  for (const bool is_key : {true, false})
    if (std::ranges::find(subjects, subject_name(topic, is_key)) != subjects.end())
      out.push_back(subject_json(subject_name(topic, is_key), is_key, registry));
  return out;
}

}  // namespace millrace::inline server
