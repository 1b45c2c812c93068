#include "exec/formats/format.h"

#include <utility>

#include "exec/formats/delimited_format.h"
#include "exec/formats/json_format.h"
#include "exec/formats/kafka_format.h"
#include "exec/formats/row_format.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {

namespace {

/// Whether the one column is the whole text rather than a field of an object.
bool is_bare(const FormatInfo& format, const std::vector<ColumnDef>& columns, bool is_key) {
  return columns.size() == 1 && (is_key || !format.wrap_single);
}

std::optional<ColumnDef> only_column(const std::vector<ColumnDef>& columns) {
  ensure(columns.size() <= 1);
  return columns.empty() ? std::nullopt : std::optional(columns[0]);
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(const FormatInfo& format, std::vector<ColumnDef> columns,
                                      std::vector<std::size_t> wanted, bool is_key) {
  // Without columns there is no text to check: such a key may hold any bytes.
  if (columns.empty()) return make_kafka_decoder(std::nullopt);
  if (format.name == "JSON") {
    const bool bare = is_bare(format, columns, is_key);
    return make_json_decoder(std::move(columns), std::move(wanted), bare);
  }
  if (format.name == "DELIMITED")
    return make_delimited_decoder(format.delimiter, std::move(columns), std::move(wanted));
  if (format.name == "KAFKA") return make_kafka_decoder(wanted.empty() ? std::nullopt : only_column(columns));
  if (format.name == "ROW") return make_row_decoder(std::move(columns), std::move(wanted));
  ensure(format.name == "NONE");
  return make_kafka_decoder(std::nullopt);
}

std::unique_ptr<Encoder> make_encoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool is_key) {
  if (is_key && columns.empty()) return make_kafka_encoder(std::nullopt);
  if (format.name == "JSON") {
    const bool bare = is_bare(format, columns, is_key);
    return make_json_encoder(std::move(columns), bare);
  }
  if (format.name == "DELIMITED") return make_delimited_encoder(format.delimiter, std::move(columns));
  if (format.name == "KAFKA") return make_kafka_encoder(only_column(columns));
  if (format.name == "ROW") return make_row_encoder(std::move(columns));
  ensure(format.name == "NONE");
  return make_kafka_encoder(std::nullopt);
}

bool null_is_absent(const FormatInfo& format, std::span<const ColumnDef> columns) {
  return columns.size() == 1 && (format.name == "KAFKA" || !format.wrap_single);
}

Result<std::optional<std::string>> encode_row(const FormatInfo& format, std::span<const ColumnDef> columns,
                                              std::span<const Value> values, bool is_key) {
  ensure(columns.size() == values.size());
  if (format.name == "NONE") return std::optional<std::string>();
  bool all_null = true;
  std::vector<ColumnPtr> boxes;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    all_null &= values[i].is_null();
    boxes.push_back(make_constant_column(values[i], columns[i].type, 1));
  }
  if (all_null && (is_key || null_is_absent(format, columns))) return std::optional<std::string>();
  Encoded out;
  const auto encoder = make_encoder(format, {columns.begin(), columns.end()}, is_key);
  if (const Status status = encoder->encode(boxes, 1, out); !status) return status.error();
  return std::optional<std::string>(std::move(out.bytes));
}

}  // namespace millrace::inline exec
