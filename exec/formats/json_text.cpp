#include "exec/formats/json_text.h"

#include <array>
#include <bit>
#include <cmath>

#include "exec/formats/digits.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::inline exec {

namespace {

/// All 19 digits of a number below 10^19, zeros in front.
void put_nineteen(std::uint64_t value, char* out) {
  constexpr std::uint64_t kEight = 100'000'000;
  const auto top = static_cast<unsigned>(value / (kEight * kEight));  // below 1000
  *out++ = static_cast<char>('0' + top / 100);
  *out++ = static_cast<char>('0' + top / 10 % 10);
  *out++ = static_cast<char>('0' + top % 10);
  out = write_eight(static_cast<std::uint32_t>(value / kEight % kEight), out);
  write_eight(static_cast<std::uint32_t>(value % kEight), out);
}

// Most doubles that people write have few fraction digits. If value = n / 10^k exactly rounded and n has at most
// 15 digits, then n's digits are the shortest: no other decimal of up to 15 digits reads back as the same double.
char* write_short_fraction(double value, char* out) {
  constexpr double kLimit = 1e7;
  if (!(value >= 1e-3 && value < kLimit)) return nullptr;
  const auto scaled = static_cast<std::uint64_t>(value * 1e4 + 0.5);
  if (static_cast<double>(scaled) / 1e4 != value) return nullptr;
  return write_with_fraction(static_cast<std::uint32_t>(scaled / 10000), static_cast<std::uint32_t>(scaled % 10000),
                             out);
}

/// `digits` is d.dddde[+-]xx as to_chars writes it. Java: plain from 1e-3 up to 1e7, else d.dddEx, a fraction always.
char* lay_out(const char* text, const char* end, char* out) {
  char digits[24];
  int count = 0;
  const char* at = text;
  for (; *at != 'e'; ++at)
    if (*at != '.') digits[count++] = *at;
  if (count == 2 && digits[1] == '0') count = 1;
  int exponent = 0;
  const bool negative = at[1] == '-';
  std::from_chars(at + 2, end, exponent);
  if (negative) exponent = -exponent;
  if (exponent < -3 || exponent >= 7) {
    *out++ = digits[0];
    *out++ = '.';
    if (count == 1) *out++ = '0';
    out = write_text({digits + 1, static_cast<std::size_t>(count - 1)}, out);
    *out++ = 'E';
    return write_integer(exponent, out);
  }
  if (exponent < 0) {
    out = write_text("0.", out);
    for (int i = -1; i > exponent; --i) *out++ = '0';
    return write_text({digits, static_cast<std::size_t>(count)}, out);
  }
  for (int i = 0; i <= exponent; ++i) *out++ = i < count ? digits[i] : '0';
  *out++ = '.';
  if (count <= exponent + 1) {
    *out++ = '0';
    return out;
  }
  return write_text({digits + exponent + 1, static_cast<std::size_t>(count - exponent - 1)}, out);
}

constexpr std::array<char, 32> kShortEscapes = [] {
  std::array<char, 32> escapes{};
  escapes['\b'] = 'b';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\f'] = 'f';
  escapes['\r'] = 'r';
  return escapes;
}();

char* write_escaped(char c, char* out) {
  const auto u = static_cast<unsigned char>(c);
  if (u >= 0x20 && c != '"' && c != '\\') {
    *out++ = c;
    return out;
  }
  *out++ = '\\';
  if (u >= 0x20) {
    *out++ = c;
  } else if (kShortEscapes[u] != 0) {
    *out++ = kShortEscapes[u];
  } else {
    constexpr char kHex[] = "0123456789ABCDEF";
    out = write_text("u00", out);
    *out++ = kHex[u >> 4];
    *out++ = kHex[u & 15];
  }
  return out;
}

#ifdef __SSE2__
/// How many of a block's bytes stand for themselves, and whether one follows that does not.
struct Block {
  int plain;
  bool special;
};

/// Writes all 16 bytes to `out`; the first `size` of them are text.
Block copy_block(__m128i bytes, int size, char* out) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                   _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
  const auto found = static_cast<unsigned>(_mm_movemask_epi8(hit)) | 1U << size;
  const int plain = std::countr_zero(found);
  return {plain, plain != size};
}

template <class T>
std::uint64_t load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// 1 to 15 bytes, reading no others.
__m128i load_short(const char* at, std::size_t size) {
  std::uint64_t low, high = 0;
  if (size >= 8) {
    low = load<std::uint64_t>(at);
    if (size > 8) high = load<std::uint64_t>(at + size - 8) >> (128 - size * 8);
  } else if (size >= 4) {
    low = load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4) << (size * 8 - 32);
  } else {
    low = load<std::uint8_t>(at) | load<std::uint8_t>(at + size / 2) << (size / 2 * 8) |
          load<std::uint8_t>(at + size - 1) << (size * 8 - 8);
  }
  return _mm_set_epi64x(static_cast<std::int64_t>(high), static_cast<std::int64_t>(low));
}
#endif

}  // namespace

char* write_integer(std::int64_t value, char* out) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  return write_unsigned(magnitude, out);
}

char* write_double(double value, char* out) {
  if (std::isnan(value)) return write_text("NaN", out);
  if (std::signbit(value)) {
    *out++ = '-';
    value = -value;
  }
  if (std::isinf(value)) return write_text("Infinity", out);
  if (value == 0) return write_text("0.0", out);
  if (char* end = write_short_fraction(value, out)) return end;
  char text[32];
  auto result = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  // Java prints at least two digits, the best two: 4.9E-324, not 5.0E-324.
  if (text[1] == 'e') result = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 1);
  return lay_out(text, result.ptr, out);
}

char* write_decimal(Int128 unscaled, int scale, char* out) {
  using UInt128 = unsigned __int128;
  auto magnitude = static_cast<UInt128>(unscaled);
  if (unscaled < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  char digits[48];
  constexpr std::uint64_t kChunk = 10'000'000'000'000'000'000ULL;  // 10^19
  int count;
  if (magnitude < kChunk) {
    count = static_cast<int>(write_unsigned(static_cast<std::uint64_t>(magnitude), digits) - digits);
  } else {
    // At most 39 digits: two chunks of 19 and, beyond DECIMAL's 38, one digit more.
    const UInt128 high = magnitude / kChunk;
    char* end = high < kChunk ? write_unsigned(static_cast<std::uint64_t>(high), digits) : digits;
    if (high >= kChunk) {
      *end++ = static_cast<char>('0' + static_cast<int>(high / kChunk));
      put_nineteen(static_cast<std::uint64_t>(high % kChunk), end);
      end += 19;
    }
    put_nineteen(static_cast<std::uint64_t>(magnitude % kChunk), end);
    count = static_cast<int>(end + 19 - digits);
  }
  if (scale <= 0) return write_text({digits, static_cast<std::size_t>(count)}, out);
  const int whole = count - scale;
  if (whole > 0) {
    out = write_text({digits, static_cast<std::size_t>(whole)}, out);
    *out++ = '.';
    return write_text({digits + whole, static_cast<std::size_t>(scale)}, out);
  }
  out = write_text("0.", out);
  for (int i = whole; i < 0; ++i) *out++ = '0';
  return write_text({digits, static_cast<std::size_t>(count)}, out);
}

#ifdef __SSE2__
char* write_json_string(std::string_view text, char* out) {
  *out++ = '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  while (end - at >= 16) {
    const Block block = copy_block(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), 16, out);
    at += block.plain;
    out += block.plain;
    if (block.special) out = write_escaped(*at++, out);
  }
  while (at != end) {
    const auto left = static_cast<std::size_t>(end - at);
    const Block block = copy_block(load_short(at, left), static_cast<int>(left), out);
    at += block.plain;
    out += block.plain;
    if (block.special) out = write_escaped(*at++, out);
  }
  *out++ = '"';
  return out;
}
#else
char* write_json_string(std::string_view text, char* out) {
  *out++ = '"';
  for (const char c : text) out = write_escaped(c, out);
  *out++ = '"';
  return out;
}
#endif

void append_json_string(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + text.size() * 6 + kStringRoom);
  const char* end = write_json_string(text, out.data() + before);
  out.resize(static_cast<std::size_t>(end - out.data()));
}

void append_json_double(double value, std::string& out) {
  const std::string text = double_text(value);
  if (std::isfinite(value))
    out += text;
  else
    append_json_string(text, out);
}

void quote_json(std::size_t begin, std::string& out) {
  if (out[begin] == '"') return;
  const std::string text = out.substr(begin);
  out.resize(begin);
  append_json_string(text, out);
}

}  // namespace millrace::inline exec
