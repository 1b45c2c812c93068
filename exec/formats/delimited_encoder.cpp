#include "exec/formats/delimited_format.h"
#include "exec/formats/json_text.h"
#include "exec/formats/text_sink.h"
#include "planner/types/base64.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::inline exec {

namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Whether text holds a delimiter, a quote or a line break.
bool holds_special(std::string_view text, char delimiter) {
  const char* at = text.data();
  const char* const end = at + text.size();
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(delimiter), quote = _mm_set1_epi8('"'), lf = _mm_set1_epi8('\n'),
                cr = _mm_set1_epi8('\r');
  for (; end - at >= 16; at += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i breaks = _mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr));
    const __m128i others = _mm_or_si128(_mm_cmpeq_epi8(x, wanted), _mm_cmpeq_epi8(x, quote));
    if (_mm_movemask_epi8(_mm_or_si128(breaks, others)) != 0) return true;
  }
#endif
  for (; at != end; ++at)
    if (*at == delimiter || *at == '"' || *at == '\n' || *at == '\r') return true;
  return false;
}

/// The minimal quoting of commons-csv.
bool needs_quotes(std::string_view text, bool first, char delimiter) {
  if (text.empty()) return first;
  if (first && !is_alphanumeric(text.front())) return true;
  if (static_cast<unsigned char>(text.front()) <= '#' || static_cast<unsigned char>(text.back()) <= ' ') return true;
  return holds_special(text, delimiter);
}

class DelimitedEncoder final : public Encoder {
 public:
  DelimitedEncoder(char delimiter, const std::vector<ColumnDef>& columns)
      : delimiter_(delimiter), bare_numbers_(!is_alphanumeric(delimiter) && delimiter != '-' && delimiter != '.') {
    for (const ColumnDef& column : columns) types_.push_back(column.type);
  }

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    sink_.start(out);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t i = 0; i < types_.size(); ++i) {
        if (i != 0) {
          char* out = sink_.room(1);
          *out = delimiter_;
          sink_.advance(out + 1);
        }
        if (!columns[i]->is_null(row)) write_cell(*columns[i], types_[i], row, i == 0);
      }
      sink_.end_row();
    }
    sink_.finish();
    return {};
  }

 private:
  void write_cell(const Column& column, const Type& type, std::size_t row, bool first) {
    if (type.kind() == TypeKind::string) return write_field(column.data.as<std::string_view>()[row], first);
    if (type.kind() == TypeKind::bytes) return write_bytes(column.data.as<std::string_view>()[row], first);
    if (bare_numbers_) {
      char* const out = sink_.room(kNumberRoom + 2);
      char* end = write_scalar(column, type, row, out);
      // Of all numbers only negative ones in front are quoted.
      if (!first || *out != '-') return sink_.advance(end);
    }
    char text[kNumberRoom];
    const char* end = write_scalar(column, type, row, text);
    write_field({text, static_cast<std::size_t>(end - text)}, first);
  }

  static char* write_scalar(const Column& column, const Type& type, std::size_t row, char* out) {
    switch (type.kind()) {
      case TypeKind::boolean:
        return write_text(column.data.as<std::uint8_t>()[row] != 0 ? "true" : "false", out);
      case TypeKind::integer:
      case TypeKind::time:
      case TypeKind::date:
        return write_integer(column.data.as<std::int32_t>()[row], out);
      case TypeKind::bigint:
      case TypeKind::timestamp:
        return write_integer(column.data.as<std::int64_t>()[row], out);
      case TypeKind::double_:
        return write_double(column.data.as<double>()[row], out);
      case TypeKind::decimal:
        return write_decimal(column.data.as<Int128>()[row], type.scale(), out);
      default:
        return out;
    }
  }

  void write_bytes(std::string_view bytes, bool first) {
    scratch_.resize(base64_size(bytes.size()));
    base64_write(bytes, scratch_.data());
    write_field(scratch_, first);
  }

  void write_field(std::string_view text, bool first) {
    if (!needs_quotes(text, first, delimiter_)) return sink_.append(text);
    char* out = sink_.room(text.size() * 2 + 2);
    *out++ = '"';
    for (const char c : text) {
      if (c == '"') *out++ = '"';
      *out++ = c;
    }
    *out++ = '"';
    sink_.advance(out);
  }

  char delimiter_;
  bool bare_numbers_;  // the delimiter is no part of any number
  std::vector<Type> types_;
  std::string scratch_;
  TextSink sink_;
};

}  // namespace

std::unique_ptr<Encoder> make_delimited_encoder(char delimiter, std::vector<ColumnDef> columns) {
  return std::make_unique<DelimitedEncoder>(delimiter, columns);
}

}  // namespace millrace::inline exec
