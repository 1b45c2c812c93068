#include "exec/formats/format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "exec/formats/debezium_format.h"
#include "exec/formats/delimited_format.h"
#include "exec/formats/json_format.h"
#include "exec/formats/kafka_format.h"
#include "exec/formats/row_format.h"
#include "exec/formats/schema_format.h"
#include "parser/error/ensure.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {

namespace {

/// Whether the one column is the whole text rather than a field of an object.
bool is_bare(const FormatInfo& format, const std::vector<ColumnDef>& columns, bool is_key) {
  return columns.size() == 1 && (is_key ? has_bare_key(format, 1) : !format.wrap_single);
}

std::optional<ColumnDef> only_column(const std::vector<ColumnDef>& columns) {
  ensure(columns.size() <= 1);
  return columns.empty() ? std::nullopt : std::optional(columns[0]);
}

struct DecoderPlan {
  const FormatInfo& format;
  std::vector<ColumnDef> columns;
  std::vector<std::size_t> wanted;
  bool bare;
  SchemaCache* schemas;
};
struct EncoderPlan {
  const FormatInfo& format;
  std::vector<ColumnDef> columns;
  bool bare;
};

std::unique_ptr<Decoder> schema_decoder(DecoderPlan plan) {
  return make_schema_decoder(plan.format, std::move(plan.columns), std::move(plan.wanted), plan.bare, plan.schemas);
}
std::unique_ptr<Encoder> schema_encoder(EncoderPlan plan) {
  return make_schema_encoder(plan.format, std::move(plan.columns), plan.bare);
}

// The planner lets nothing be written in formats that are only read.
std::unique_ptr<Encoder> no_encoder(EncoderPlan) {
  ensure(false);
  return nullptr;
}

/// How a format is read and written; what it can carry is in the planner's row of the same name.
struct Codec {
  std::string_view name;
  std::unique_ptr<Decoder> (*decoder)(DecoderPlan);
  std::unique_ptr<Encoder> (*encoder)(EncoderPlan);
};

constexpr std::array kCodecs = {
    Codec{
        "JSON",
        [](DecoderPlan plan) { return make_json_decoder(std::move(plan.columns), std::move(plan.wanted), plan.bare); },
        [](EncoderPlan plan) { return make_json_encoder(std::move(plan.columns), plan.bare); }},
    Codec{"DELIMITED",
          [](DecoderPlan plan) {
            return make_delimited_decoder(plan.format.delimiter, std::move(plan.columns), std::move(plan.wanted));
          },
          [](EncoderPlan plan) { return make_delimited_encoder(plan.format.delimiter, std::move(plan.columns)); }},
    Codec{"KAFKA",
          [](DecoderPlan plan) {
            return make_kafka_decoder(plan.wanted.empty() ? std::nullopt : only_column(plan.columns));
          },
          [](EncoderPlan plan) { return make_kafka_encoder(only_column(plan.columns)); }},
    Codec{"ROW", [](DecoderPlan plan) { return make_row_decoder(std::move(plan.columns), std::move(plan.wanted)); },
          [](EncoderPlan plan) { return make_row_encoder(std::move(plan.columns)); }},
    Codec{"NONE", [](DecoderPlan) { return make_kafka_decoder(std::nullopt); },
          [](EncoderPlan) { return make_kafka_encoder(std::nullopt); }},
    Codec{"AVRO", schema_decoder, schema_encoder},
    Codec{"JSON_SR", schema_decoder, schema_encoder},
    Codec{"PROTOBUF", schema_decoder, schema_encoder},
    Codec{"PROTOBUF_NOSR", schema_decoder, schema_encoder},
    Codec{"DEBEZIUM_JSON",
          [](DecoderPlan plan) { return make_debezium_decoder(std::move(plan.columns), std::move(plan.wanted)); },
          no_encoder},
    Codec{"DEBEZIUM_AVRO", schema_decoder, no_encoder},
};

const Codec& codec(const FormatInfo& format) {
  const auto found = std::ranges::find(kCodecs, format.name, &Codec::name);
  ensure(found != kCodecs.end());
  return *found;
}

}  // namespace

std::vector<std::string_view> codec_names() {
  std::vector<std::string_view> names;
  for (const Codec& one : kCodecs) names.push_back(one.name);
  return names;
}

std::unique_ptr<Decoder> make_decoder(const FormatInfo& format, std::vector<ColumnDef> columns,
                                      std::vector<std::size_t> wanted, bool is_key, SchemaCache* schemas) {
  // Without columns there is no text to check: such a key may hold any bytes.
  if (columns.empty()) return make_kafka_decoder(std::nullopt);
  const bool bare = is_bare(format, columns, is_key);
  return codec(format).decoder({format, std::move(columns), std::move(wanted), bare, schemas});
}

std::unique_ptr<Encoder> make_encoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool is_key) {
  if (is_key && columns.empty()) return make_kafka_encoder(std::nullopt);
  const bool bare = is_bare(format, columns, is_key);
  return codec(format).encoder({format, std::move(columns), bare});
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
