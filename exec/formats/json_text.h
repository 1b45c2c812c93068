#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "planner/types/value.h"

namespace millrace::inline exec {

// Text of values, written straight into a buffer that has the stated room. Each returns the end of what was written.

/// Bytes that any of the number writers may need.
constexpr std::size_t kNumberRoom = 48;
/// Bytes that a string may need beside six for each of its own.
constexpr std::size_t kStringRoom = 18;

inline char* write_text(std::string_view text, char* out) {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}
/// Room: kNumberRoom.
char* write_integer(std::int64_t value, char* out);
/// Shortest digits that read back the same, laid out as Java prints doubles; NaN, Infinity and -Infinity bare. Room:
/// kNumberRoom.
char* write_double(double value, char* out);
/// Plain notation with exactly `scale` fraction digits. Room: kNumberRoom.
char* write_decimal(Int128 unscaled, int scale, char* out);
/// The text as a JSON string with its quotes. Room: 6 * text.size() + kStringRoom.
char* write_json_string(std::string_view text, char* out);

/// As write_json_string, behind `out`.
void append_json_string(std::string_view text, std::string& out);
/// As write_double; a string where JSON has no number.
void append_json_double(double value, std::string& out);
/// Makes a string of the JSON that begins there, unless it is one: a key of an object.
void quote_json(std::size_t begin, std::string& out);

}  // namespace millrace::inline exec
