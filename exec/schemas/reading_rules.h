#pragma once

#include <optional>
#include <string>

#include "exec/schemas/avro_schema.h"
#include "exec/schemas/compatibility.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {

// Why data of `writer` cannot be read by `reader`, for each kind of schema. Findings begin with the name that
// Confluent's registry gives the difference. Behind reading_fault().

using Finding = std::optional<std::string>;

Finding avro_reading_fault(const avro::Node& reader, const avro::Node& writer);
Finding proto_reading_fault(const proto::File& reader, const proto::File& writer);
Result<Finding> json_reading_fault(const SchemaText& reader, const SchemaText& writer, ContentPolicy policy);

}  // namespace millrace::inline exec
