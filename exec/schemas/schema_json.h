#pragma once

#include <boost/json.hpp>

#include "exec/schemas/registry.h"

namespace millrace::inline exec {

/// `[{"name": …, "subject": …, "version": …}]`, as the registry's protocol and the schema topic hold what a schema
/// imports.
inline boost::json::array references_json(const SchemaSource& schema) {
  boost::json::array out;
  for (const SchemaReference& reference : schema.references)
    out.push_back({{"name", reference.name}, {"subject", reference.subject}, {"version", reference.version}});
  return out;
}

/// What the registry's protocol says of a schema: `schema`, and `schemaType` and `references` where they are not AVRO
/// and none.
inline void put_schema(boost::json::object& out, const SchemaSource& schema, std::string_view text) {
  out["schema"] = text;
  if (schema.kind != SchemaKind::avro) out["schemaType"] = schema_kind_name(schema.kind);
  if (!schema.references.empty()) out["references"] = references_json(schema);
}

}  // namespace millrace::inline exec
