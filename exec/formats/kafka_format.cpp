#include "exec/formats/kafka_format.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "exec/formats/codec.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/text_sink.h"
#include "exec/formats/utf8_text.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {

namespace {

std::uint32_t swap_bytes(std::uint32_t v) {
  return __builtin_bswap32(v);
}
std::uint64_t swap_bytes(std::uint64_t v) {
  return __builtin_bswap64(v);
}

/// Big-endian numbers of type T, whose bits are those of the unsigned type U.
template <class T, class U>
struct BigEndian {
  static bool read(std::string_view bytes, T& out) {
    if (bytes.size() != sizeof(U)) return false;
    U bits;
    std::memcpy(&bits, bytes.data(), sizeof bits);
    out = std::bit_cast<T>(swap_bytes(bits));
    return true;
  }
  static char* write(T value, char* out) {
    const U bits = swap_bytes(std::bit_cast<U>(value));
    std::memcpy(out, &bits, sizeof bits);
    return out + sizeof bits;
  }
};
using BigEndianInt = BigEndian<std::int32_t, std::uint32_t>;
using BigEndianLong = BigEndian<std::int64_t, std::uint64_t>;
using BigEndianDouble = BigEndian<double, std::uint64_t>;

using Inputs = std::span<const std::optional<std::string_view>>;

class KafkaDecoder final : public Decoder {
 public:
  explicit KafkaDecoder(const ColumnDef& column) : name_(column.name), writer_(column.type) {}

  void decode(Inputs inputs, const std::shared_ptr<const void>& owner, std::vector<ColumnPtr>& out, Bitmap& bad,
              RowErrors& errors) override {
    writer_.start(inputs.size());
    switch (writer_.kind()) {
      case TypeKind::integer:
        read_numbers<BigEndianInt, std::int32_t>(inputs, bad, errors);
        break;
      case TypeKind::bigint:
        read_numbers<BigEndianLong, std::int64_t>(inputs, bad, errors);
        break;
      case TypeKind::double_:
        read_numbers<BigEndianDouble, double>(inputs, bad, errors);
        break;
      default:
        read_views(inputs);
        break;
    }
    std::vector<std::shared_ptr<const void>> owners;
    if (owner) owners.push_back(owner);
    if (arena_) owners.push_back(std::exchange(arena_, nullptr));
    out.push_back(writer_.finish(inputs.size(), owners));
  }

 private:
  template <class Layout, class T>
  void read_numbers(Inputs inputs, Bitmap& bad, RowErrors& errors) {
    for (std::size_t row = 0; row < inputs.size(); ++row) {
      T value{};
      if (inputs[row] && Layout::read(*inputs[row], value)) {
        writer_.set(row, value);
        continue;
      }
      writer_.set_null(row);
      if (!inputs[row]) continue;
      bad.set(row, inputs.size());
      errors.add(static_cast<std::uint32_t>(row),
                 fmt::format("{}: {} bytes where {} takes {}", name_, inputs[row]->size(), writer_.type().to_string(),
                             sizeof(T)));
    }
  }

  void read_views(Inputs inputs) {
    const bool text = writer_.kind() == TypeKind::string;
    for (std::size_t row = 0; row < inputs.size(); ++row) {
      if (inputs[row]) {
        writer_.set(row, text ? as_utf8(*inputs[row], arena_) : *inputs[row]);
      } else {
        writer_.set_null(row);
      }
    }
  }

  std::string name_;
  ColumnWriter writer_;
  std::shared_ptr<Arena> arena_;  // of the current batch's repaired texts
};

class KafkaEncoder final : public Encoder {
 public:
  explicit KafkaEncoder(TypeKind kind) : kind_(kind) {}

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    sink_.start(out);
    const Column& column = *columns[0];
    switch (kind_) {
      case TypeKind::integer:
        write_numbers<BigEndianInt, std::int32_t>(column, rows);
        break;
      case TypeKind::bigint:
        write_numbers<BigEndianLong, std::int64_t>(column, rows);
        break;
      case TypeKind::double_:
        write_numbers<BigEndianDouble, double>(column, rows);
        break;
      default:
        write_views(column, rows);
        break;
    }
    sink_.finish();
    return {};
  }

 private:
  template <class Layout, class T>
  void write_numbers(const Column& column, std::size_t rows) {
    const auto values = column.values<T>();
    for (std::size_t row = 0; row < rows; ++row) {
      if (!column.is_null(row)) sink_.advance(Layout::write(values[row], sink_.room(sizeof(T))));
      sink_.end_row();
    }
  }

  void write_views(const Column& column, std::size_t rows) {
    const auto values = column.values<std::string_view>();
    for (std::size_t row = 0; row < rows; ++row) {
      if (!column.is_null(row)) sink_.append(values[row]);
      sink_.end_row();
    }
  }

  TypeKind kind_;
  TextSink sink_;
};

class NothingDecoder final : public Decoder {
 public:
  void decode(Inputs, const std::shared_ptr<const void>&, std::vector<ColumnPtr>&, Bitmap&, RowErrors&) override {}
};

class NothingEncoder final : public Encoder {
 public:
  Status encode(std::span<const ColumnPtr>, std::size_t rows, Encoded& out) override {
    out.ends.insert(out.ends.end(), rows, static_cast<std::uint32_t>(out.bytes.size()));
    return {};
  }
};

}  // namespace

std::unique_ptr<Decoder> make_kafka_decoder(const std::optional<ColumnDef>& column) {
  if (!column) return std::make_unique<NothingDecoder>();
  return std::make_unique<KafkaDecoder>(*column);
}

std::unique_ptr<Encoder> make_kafka_encoder(const std::optional<ColumnDef>& column) {
  if (!column) return std::make_unique<NothingEncoder>();
  return std::make_unique<KafkaEncoder>(column->type.kind());
}

namespace {

std::optional<ColumnDef> only_column(const std::vector<ColumnDef>& columns) {
  ensure(columns.size() <= 1);
  return columns.empty() ? std::nullopt : std::optional(columns[0]);
}

}  // namespace

Codec kafka_codec() {
  return {[](DecoderPlan plan) {
            return make_kafka_decoder(plan.wanted.empty() ? std::nullopt : only_column(plan.columns));
          },
          [](EncoderPlan plan) { return make_kafka_encoder(only_column(plan.columns)); }};
}

Codec none_codec() {
  return {[](DecoderPlan) { return make_kafka_decoder(std::nullopt); },
          [](EncoderPlan) { return make_kafka_encoder(std::nullopt); }};
}

}  // namespace millrace::inline exec
