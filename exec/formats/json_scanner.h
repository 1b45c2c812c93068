#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::inline exec::json {

// Steps over JSON text. Every function takes a position inside [at, end] and never reads at or beyond `end`; a result
// of nullptr means that the text is not JSON.

inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}
inline bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

inline const char* skip_space(const char* at, const char* end) {
  while (at != end && is_space(*at)) ++at;
  return at;
}

/// Where a text's value begins: behind a byte-order mark and space.
inline const char* skip_to_value(const char* at, const char* end) {
  if (end - at >= 3 && std::memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  return skip_space(at, end);
}

/// Whether a text's value may end at `at`. Words and numbers must not run on; brackets and quotes end by themselves.
bool ends_value(const char* at, const char* end);

/// A string without its quotes, as it stands in the text.
struct StringSpan {
  const char* close = nullptr;  // the closing quote; nullptr: broken
  bool escaped = false;
  bool non_ascii = false;
};

namespace detail {

/// Behind the escape whose backslash is at `at`; nullptr when it is none.
const char* skip_escape(const char* at, const char* end);

/// First quote, backslash or control character at or after `at`, looking at whole blocks only; else where those end.
inline const char* find_special(const char* at, const char* end, bool& non_ascii) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)),
                                     _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
    const auto special = static_cast<unsigned>(_mm_movemask_epi8(hit));
    const auto high = static_cast<unsigned>(_mm_movemask_epi8(x));
    if (special != 0) {
      const int n = std::countr_zero(special);
      non_ascii |= (high & ((1U << n) - 1)) != 0;
      return at + n;
    }
    non_ascii |= high != 0;
  }
#endif
  for (; at != end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (c == '"' || c == '\\' || c < 0x20) return at;
    non_ascii |= c >= 0x80;
  }
  return at;
}

}  // namespace detail

/// `at` is behind the opening quote.
inline StringSpan scan_string(const char* at, const char* end) {
  StringSpan span;
  for (;;) {
    at = detail::find_special(at, end, span.non_ascii);
    if (at == end) return span;
    if (*at == '"') {
      span.close = at;
      return span;
    }
    if (*at != '\\') return span;
    span.escaped = true;
    at = detail::skip_escape(at, end);
    if (at == nullptr) return span;
  }
}

/// Behind the whole number at `at` where a comma or a brace follows it; nullptr: look closer.
inline const char* skip_plain_number(const char* at, const char* end) {
#ifdef __SSE2__
  at += *at == '-' ? 1 : 0;
  if (end - at < 16) return nullptr;
  const __m128i x = _mm_sub_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), _mm_set1_epi8('0'));
  const auto digits = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x)));
  const int n = std::countr_one(digits);
  if (n == 0 || n == 16 || (*at == '0' && n > 1)) return nullptr;
  return at[n] == ',' || at[n] == '}' ? at + n : nullptr;
#else
  (void)at, (void)end;
  return nullptr;
#endif
}

/// Behind the number that begins at `at`. `integral`: it has neither fraction nor exponent.
inline const char* scan_number(const char* at, const char* end, bool& integral) {
  integral = true;
  if (at != end && *at == '-') ++at;
  if (at == end || !is_digit(*at)) return nullptr;
  if (*at == '0') {
    ++at;
  } else {
    while (at != end && is_digit(*at)) ++at;
  }
  if (at != end && *at == '.') {
    integral = false;
    if (++at == end || !is_digit(*at)) return nullptr;
    while (at != end && is_digit(*at)) ++at;
  }
  if (at != end && (*at | 0x20) == 'e') {
    integral = false;
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (at == end || !is_digit(*at)) return nullptr;
    while (at != end && is_digit(*at)) ++at;
  }
  // 01 and 1x are no numbers.
  return at != end && (is_digit(*at) || (*at | 0x20) == 'e' || *at == '.') ? nullptr : at;
}

/// Behind the digits that begin at `at`, their value (modulo 2^64) in `value`.
inline const char* read_digits(const char* at, const char* end, std::uint64_t& value) {
  static constexpr std::uint64_t kPowers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  value = 0;
  while (end - at >= 8) {
    std::uint64_t block;
    std::memcpy(&block, at, 8);
    // Bytes that are no digits get their top bits set.
    const std::uint64_t digits = block ^ 0x3030303030303030;
    const std::uint64_t other = ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
    const int n = other == 0 ? 8 : std::countr_zero(other) >> 3;
    if (n == 0) return at;
    std::uint64_t x = digits << (64 - 8 * n);
    x = (x * 10) + (x >> 8);
    x = (((x & 0x000000FF000000FF) * 0x000F424000000064) + (((x >> 16) & 0x000000FF000000FF) * 0x0000271000000001)) >>
        32;
    value = value * kPowers[n] + x;
    at += n;
    if (n != 8) return at;
  }
  while (at != end && is_digit(*at)) value = value * 10 + static_cast<std::uint64_t>(*at++ - '0');
  return at;
}

inline const char* skip_literal(const char* at, const char* end, std::string_view literal) {
  if (static_cast<std::size_t>(end - at) < literal.size() || std::memcmp(at, literal.data(), literal.size()) != 0)
    return nullptr;
  return at + literal.size();
}

/// Brackets nested deeper make a text broken, so that no text overflows the stack.
constexpr int kMaxDepth = 1000;

/// Behind an object or array, whose opening bracket is at `at`.
const char* skip_nested(const char* at, const char* end, int depth);

/// Behind the value that begins at `at` (no space before it).
inline const char* skip_value(const char* at, const char* end, int depth = 0) {
  if (at == end) return nullptr;
  switch (*at) {
    case '"': {
      const char* close = scan_string(at + 1, end).close;
      return close == nullptr ? nullptr : close + 1;
    }
    case '{':
    case '[':
      return skip_nested(at, end, depth);
    case 't':
      return skip_literal(at, end, "true");
    case 'f':
      return skip_literal(at, end, "false");
    case 'n':
      return skip_literal(at, end, "null");
    default: {
      if (const char* after = skip_plain_number(at, end); after != nullptr) return after;
      bool integral;
      return scan_number(at, end, integral);
    }
  }
}

/// Resolves the escapes of a scanned string's text into `out`, which has room for text.size() bytes. Returns the
/// length. Half a surrogate pair becomes '?', as Java writes it.
std::ptrdiff_t unescape(std::string_view text, char* out);

}  // namespace millrace::inline exec::json
