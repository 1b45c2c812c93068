#pragma once

#include <string_view>

namespace millrace::inline exec::proto {

/// Text of a file that every Protobuf schema may import without a reference: Google's wrappers, timestamps, dates and
/// Confluent's decimal. Empty: not one of them.
std::string_view well_known_file(std::string_view name);

}  // namespace millrace::inline exec::proto
