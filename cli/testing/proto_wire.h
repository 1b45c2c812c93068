#pragma once

#include <string>
#include <string_view>

#include "cli/testing/json_text.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline cli::harness {

/// Throw std::runtime_error for what has no place in the message, or is no Protobuf.
std::string encode_proto(const Json& spec, const proto::Message& message);
Json decode_proto(std::string_view bytes, const proto::Message& message);

}  // namespace millrace::inline cli::harness
