#pragma once

#include <string>
#include <string_view>

#include "cli/testing/json_text.h"
#include "exec/schemas/avro_schema.h"

namespace millrace::inline cli::harness {

/// Throw std::runtime_error for what has no place in the schema, or is no Avro.
std::string encode_avro(const Json& spec, const avro::Node& schema);
Json decode_avro(std::string_view bytes, const avro::Node& schema);

}  // namespace millrace::inline cli::harness
