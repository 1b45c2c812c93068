#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace millrace::inline exec {

// Decimal digits without loops: eight digits are worked out side by side in one register.

/// The digits of a number below 10^8 as bytes 0 to 9, the first digit in the lowest byte.
inline std::uint64_t eight_digits(std::uint32_t value) {
  const std::uint64_t fours = value / 10000 | std::uint64_t{value % 10000} << 32;
  const std::uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007F0000007F;
  const std::uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const std::uint64_t tens = (twos * 103 >> 10) & 0x000F000F000F000F;
  return tens | (twos - 10 * tens) << 8;
}

constexpr std::uint64_t kEightZeros = 0x3030303030303030;

/// Writes 8 bytes, of which all count.
inline char* write_eight(std::uint32_t value, char* out) {
  const std::uint64_t digits = eight_digits(value) | kEightZeros;
  std::memcpy(out, &digits, 8);
  return out + 8;
}

/// A number below 10^8 without zeros in front. Writes 8 bytes; the end returned tells how many count.
inline char* write_up_to_eight(std::uint32_t value, char* out) {
  const std::uint64_t digits = eight_digits(value);
  const int zeros = std::countr_zero(digits | std::uint64_t{1} << 56) & ~7;
  const std::uint64_t text = (digits | kEightZeros) >> zeros;
  std::memcpy(out, &text, 8);
  return out + 8 - zeros / 8;
}

/// Room: 24 bytes.
inline char* write_unsigned(std::uint64_t value, char* out) {
  constexpr std::uint64_t kEight = 100'000'000;
  if (value < kEight) return write_up_to_eight(static_cast<std::uint32_t>(value), out);
  const std::uint64_t high = value / kEight;
  if (high < kEight) {
    out = write_up_to_eight(static_cast<std::uint32_t>(high), out);
  } else {
    out = write_up_to_eight(static_cast<std::uint32_t>(high / kEight), out);
    out = write_eight(static_cast<std::uint32_t>(high % kEight), out);
  }
  return write_eight(static_cast<std::uint32_t>(value % kEight), out);
}

/// `whole`.`fraction`, fraction < 10^4 standing for four digits, of which at least one is written and no zeros at the
/// end. whole < 10^8. Room: 24 bytes.
inline char* write_with_fraction(std::uint32_t whole, std::uint32_t fraction, char* out) {
  out = write_up_to_eight(whole, out);
  *out++ = '.';
  const auto digits = static_cast<std::uint32_t>(eight_digits(fraction) >> 32);
  const std::uint32_t text = digits | static_cast<std::uint32_t>(kEightZeros);
  std::memcpy(out, &text, 4);
  return out + 4 - std::countl_zero(digits | 1) / 8;
}

}  // namespace millrace::inline exec
