#include "exec/formats/format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "exec/formats/codec.h"
#include "exec/formats/kafka_format.h"
#include "parser/error/ensure.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {

namespace {

/// Whether the one column is the whole text rather than a field of an object.
bool is_bare(const FormatInfo& format, const std::vector<ColumnDef>& columns, bool is_key) {
  return columns.size() == 1 && (is_key ? has_bare_key(format, 1) : !format.wrap_single);
}

struct NamedCodec {
  std::string_view name;
  Codec codec;
};

const Codec& codec(const FormatInfo& format) {
  static const std::array kCodecs = {
#define FORMAT(id, ...) NamedCodec{FormatDef __VA_ARGS__.name, id##_codec()},
#include "planner/catalog/formats.inc"
#undef FORMAT
      NamedCodec{"ROW", row_codec()},
  };
  const auto found = std::ranges::find(kCodecs, format.name, &NamedCodec::name);
  ensure(found != kCodecs.end());
  return found->codec;
}

}  // namespace

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
  const auto make = codec(format).encoder;
  ensure(make != nullptr);  // the planner lets nothing be written in formats that are only read
  return make({format, std::move(columns), bare});
}

bool null_is_absent(const FormatInfo& format, std::span<const ColumnDef> columns) {
  if (columns.size() != 1) return false;
  const FormatDef* def = find_format(format.name);
  return !format.wrap_single || (def != nullptr && def->max_columns == 1);
}

}  // namespace millrace::inline exec
