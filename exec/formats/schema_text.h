#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exec/schemas/avro_schema.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {

// Data with a schema as JSON, for people: every field by its name, numbers of any width, enums by name, days and times
// as ISO text, bytes in base64. Nothing: these bytes are none of the schema's.

std::optional<std::string> avro_text(std::string_view bytes, const avro::Node& schema);
std::optional<std::string> protobuf_text(std::string_view bytes, const proto::Message& message);

}  // namespace millrace::inline exec
