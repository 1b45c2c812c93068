#include "planner/types/base64.h"

#include <array>
#include <cstdint>
#include <string>

#include "planner/types/value.h"

namespace millrace::inline planner {

namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 64; ++i) digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return digits;
}();

}  // namespace

char* base64_write(std::string_view bytes, char* out) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, at += 3) {
    const std::uint32_t bits = (std::uint32_t{at[0]} << 16) | (std::uint32_t{at[1]} << 8) | at[2];
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = kAlphabet[(bits >> shift) & 63];
  }
  if (left == 0) return out;
  const std::uint32_t bits = (std::uint32_t{at[0]} << 16) | (left == 2 ? std::uint32_t{at[1]} << 8 : 0);
  *out++ = kAlphabet[bits >> 18];
  *out++ = kAlphabet[(bits >> 12) & 63];
  *out++ = left == 2 ? kAlphabet[(bits >> 6) & 63] : '=';
  *out++ = '=';
  return out;
}

std::ptrdiff_t base64_read(std::string_view text, char* out) {
  if (text.size() % 4 == 0)
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return -1;
  char* const begin = out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int digit = kDigits[static_cast<unsigned char>(c)];
    if (digit < 0) return -1;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      *out++ = static_cast<char>(bits >> held);
    }
  }
  return out - begin;
}

std::string base64_encode(std::string_view bytes) {
  std::string out(base64_size(bytes.size()), '\0');
  base64_write(bytes, out.data());
  return out;
}

bool base64_decode(std::string_view text, std::string& bytes) {
  bytes.resize(text.size());
  const std::ptrdiff_t size = base64_read(text, bytes.data());
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return size >= 0;
}

}  // namespace millrace::inline planner
