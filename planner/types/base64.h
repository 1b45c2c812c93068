#pragma once

#include <cstddef>
#include <string_view>

namespace millrace::inline planner {

/// Bytes that base64_write() writes for `size` bytes.
constexpr std::size_t base64_size(std::size_t size) {
  return (size + 2) / 3 * 4;
}
/// Standard alphabet with padding. Returns the end of what was written.
char* base64_write(std::string_view bytes, char* out);
/// `out` has room for text.size() bytes. Padding may be missing. Returns the length, or -1 when the text is not base64.
std::ptrdiff_t base64_read(std::string_view text, char* out);

}  // namespace millrace::inline planner
