#include "exec/formats/csv_line.h"

#include <bit>
#include <cstddef>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::inline exec {

namespace {

bool is_line_break(char c) {
  return c == '\n' || c == '\r';
}

const char* find_field_end(const char* at, const char* end, char delimiter) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(delimiter), lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
  for (; end - at >= 16; at += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i hit =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr)), _mm_cmpeq_epi8(x, wanted));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (found != 0) return at + std::countr_zero(found);
  }
#endif
  while (at != end && *at != delimiter && !is_line_break(*at)) ++at;
  return at;
}

}  // namespace

CsvLine::CsvLine(std::string_view text, char delimiter)
    : at_(text.data()), end_(text.data() + text.size()), delimiter_(delimiter) {
  while (at_ != end_ && is_line_break(*at_)) ++at_;
}

void CsvLine::finish_field() {
  if (at_ == end_ || *at_ != delimiter_) {
    done_ = true;
  } else {
    ++at_;
  }
}

bool CsvLine::next(CsvField& field) {
  if (done_ || broken_) return false;
  field.doubled_quotes = false;
  if (at_ != end_ && *at_ == '"') return quoted(field);
  const char* stop = find_field_end(at_, end_, delimiter_);
  field.text = {at_, static_cast<std::size_t>(stop - at_)};
  at_ = stop;
  finish_field();
  return true;
}

bool CsvLine::quoted(CsvField& field) {
  const char* const begin = ++at_;
  for (;;) {
    const auto* quote =
        at_ == end_ ? nullptr : static_cast<const char*>(std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_)));
    if (quote == nullptr) {
      broken_ = true;
      return false;
    }
    at_ = quote + 1;
    if (at_ == end_ || *at_ != '"') {
      field.text = {begin, static_cast<std::size_t>(quote - begin)};
      break;
    }
    field.doubled_quotes = true;
    ++at_;
  }
  // Space between the closing quote and the delimiter is passed over.
  while (at_ != end_ && *at_ != delimiter_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  broken_ = at_ != end_ && *at_ != delimiter_ && !is_line_break(*at_);
  finish_field();
  return !broken_;
}

std::string_view without_doubled_quotes(std::string_view text, char* out) {
  char* const begin = out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    *out++ = text[i];
    if (text[i] == '"') ++i;
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

}  // namespace millrace::inline exec
