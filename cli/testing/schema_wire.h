#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/testing/json_text.h"
#include "exec/schemas/registry.h"
#include "planner/types/schema.h"

/// Formats with a schema, written and read value by value, apart from the engine's codecs (conformance/README.md).
namespace millrace::inline cli::harness {

/// By the newest schema of the topic's subject (PROTOBUF_NOSR: by the columns): field names in any case, unknown ones
/// left out, missing ones null. Throws std::runtime_error for what the schema has no place for.
std::string encode_by_schema(const Json& spec, const FormatInfo& format, const std::string& topic, bool is_key,
                             const std::vector<ColumnDef>& columns, SchemaRegistry* registry);

/// By the schema that the bytes name. All fields, absent ones as null; DATE, TIME and TIMESTAMP as whole numbers of
/// days and milliseconds, BYTES as base64.
Json decode_by_schema(std::string_view bytes, const FormatInfo& format, const std::vector<ColumnDef>& columns,
                      SchemaRegistry* registry);

}  // namespace millrace::inline cli::harness
