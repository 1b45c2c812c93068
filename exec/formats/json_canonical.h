#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::inline exec::json {

/// How numbers with a fraction or an exponent are written: as java.math.BigDecimal prints them, or without exponent.
enum class NumberStyle : std::uint8_t { java, plain };

/// Appends the value that begins at `at` (no space before it) in its one form: no space, members named twice once (at
/// the first one's place, with the last one's value), escapes only where needed, numbers by `style`. Returns the
/// position behind it; nullptr: broken, or a number that cannot be written plainly (`out` then holds a part).
const char* append_canonical(const char* at, const char* end, NumberStyle style, std::string& out, int depth = 0);

/// A whole JSON number in the same way. False: its plain form would be absurdly long.
bool append_number(std::string_view number, NumberStyle style, std::string& out);

/// Whether append_number in Java style gives the very same text.
bool is_java_number(std::string_view number);

}  // namespace millrace::inline exec::json
