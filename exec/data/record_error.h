#pragma once

#include <cstdint>

namespace millrace::inline exec {

/// What went wrong with a record or a row: the numbers of the processing log (operations.md, Processing log).
enum class RecordErrorKind : std::uint8_t { deserialization = 0, processing = 1, production = 2, serialization = 3 };

}  // namespace millrace::inline exec
