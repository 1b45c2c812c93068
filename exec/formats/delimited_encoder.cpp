#include "exec/formats/base64.h"
#include "exec/formats/delimited_format.h"
#include "exec/formats/json_text.h"
#include "exec/formats/text_sink.h"

namespace millrace {

namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// The minimal quoting of commons-csv.
bool needs_quotes(std::string_view text, bool first, char delimiter) {
  if (text.empty()) return first;
  if (first && !is_alphanumeric(text.front())) return true;
  if (static_cast<unsigned char>(text.front()) <= '#' || static_cast<unsigned char>(text.back()) <= ' ') return true;
  for (const char c : text)
    if (c == delimiter || c == '"' || c == '\n' || c == '\r') return true;
  return false;
}

class DelimitedEncoder final : public Encoder {
 public:
  DelimitedEncoder(char delimiter, const std::vector<ColumnDef>& columns) : delimiter_(delimiter) {
    for (const ColumnDef& column : columns) types_.push_back(column.type);
  }

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    sink_.start(out);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t i = 0; i < types_.size(); ++i) {
        if (i != 0) sink_.append({&delimiter_, 1});
        if (!columns[i]->is_null(row)) write_cell(*columns[i], types_[i], row, i == 0);
      }
      sink_.end_row();
    }
    sink_.finish();
    return {};
  }

 private:
  void write_cell(const Column& column, const Type& type, std::size_t row, bool first) {
    char text[kNumberRoom];
    char* end = text;
    switch (type.kind()) {
      case TypeKind::boolean:
        end = write_text(column.data.as<std::uint8_t>()[row] != 0 ? "true" : "false", text);
        break;
      case TypeKind::integer:
      case TypeKind::time:
      case TypeKind::date:
        end = write_integer(column.data.as<std::int32_t>()[row], text);
        break;
      case TypeKind::bigint:
      case TypeKind::timestamp:
        end = write_integer(column.data.as<std::int64_t>()[row], text);
        break;
      case TypeKind::double_:
        end = write_double(column.data.as<double>()[row], text);
        break;
      case TypeKind::decimal:
        end = write_decimal(column.data.as<Int128>()[row], type.scale(), text);
        break;
      case TypeKind::string:
        return write_field(column.data.as<std::string_view>()[row], first);
      case TypeKind::bytes:
        return write_bytes(column.data.as<std::string_view>()[row], first);
      default:
        break;
    }
    write_field({text, static_cast<std::size_t>(end - text)}, first);
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
  std::vector<Type> types_;
  std::string scratch_;
  TextSink sink_;
};

}  // namespace

std::unique_ptr<Encoder> make_delimited_encoder(char delimiter, std::vector<ColumnDef> columns) {
  return std::make_unique<DelimitedEncoder>(delimiter, columns);
}

}  // namespace millrace
