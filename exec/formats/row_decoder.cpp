#include <algorithm>
#include <cstring>

#include "exec/formats/codec.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/row_format.h"
#include "exec/formats/row_layout.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kSkip = ~std::size_t{0};

/// Behind `size` bytes; nullptr when there are not so many.
const char* step(const char* at, const char* end, std::uint64_t size) {
  return static_cast<std::uint64_t>(end - at) < size ? nullptr : at + size;
}

const char* read_row(const char* at, const char* end, ColumnWriter& out, std::size_t row);

void store_fixed(const char* at, std::size_t width, ColumnWriter& out, std::size_t row) {
  std::int32_t half;
  std::int64_t full;
  switch (width) {
    case 1:
      out.set<std::uint8_t>(row, *at != 0);
      return;
    case 4:
      std::memcpy(&half, at, 4);
      out.set(row, half);
      return;
    case 8:
      std::memcpy(&full, at, 8);
      if (out.kind() == TypeKind::decimal) {
        out.set<Int128>(row, full);
      } else {
        out.set(row, full);
      }
      return;
    default: {
      Int128 wide;
      std::memcpy(&wide, at, 16);
      out.set(row, wide);
    }
  }
}

const char* read_list(const char* at, const char* end, ColumnWriter& out, std::size_t row);

/// Reads a value that is not NULL.
const char* read_value(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  if (const std::size_t width = row_width(out.type()); width != 0) {
    const char* after = step(at, end, width);
    if (after != nullptr) store_fixed(at, width, out, row);
    return after;
  }
  if (out.kind() == TypeKind::structure) return read_row(at, end, out, row);
  if (out.kind() == TypeKind::array || out.kind() == TypeKind::map) return read_list(at, end, out, row);
  std::uint64_t size;
  at = read_varint(at, end, size);
  if (at == nullptr) return nullptr;
  const char* after = step(at, end, size);
  if (after != nullptr) out.set(row, std::string_view(at, size));
  return after;
}

const char* read_list(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  std::uint64_t count;
  at = read_varint(at, end, count);
  if (at == nullptr || count / 8 > static_cast<std::uint64_t>(end - at)) return nullptr;
  out.begin_list(row);
  const std::size_t first = out.next_element();
  for (std::size_t k = 0; k < out.child_count(); ++k) {
    ColumnWriter& child = out.child(k);
    const char* bitmap = at;
    at = step(at, end, bitmap_bytes(count));
    for (std::size_t i = 0; at != nullptr && i < count; ++i) {
      child.room(first + i);
      if (bitmap_test(bitmap, i)) {
        child.set_null(first + i);
      } else {
        at = read_value(at, end, child, first + i);
      }
    }
    if (at == nullptr) return nullptr;
  }
  out.add_elements(count);
  out.end_list(row);
  return at;
}

const char* read_row(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  std::uint64_t count;
  at = read_varint(at, end, count);
  if (at == nullptr || count > out.child_count()) return nullptr;
  const char* bitmap = at;
  at = step(at, end, bitmap_bytes(count));
  for (std::size_t i = 0; at != nullptr && i < out.child_count(); ++i) {
    if (i >= count || bitmap_test(bitmap, i)) {
      out.child(i).set_null(row);
    } else {
      at = read_value(at, end, out.child(i), row);
    }
  }
  out.mark_present(row);
  return at;
}

const char* skip_value(const char* at, const char* end, const Type& type);

const char* skip_elements(const char* at, const char* end, const Type& type, std::uint64_t count) {
  const char* bitmap = at;
  at = step(at, end, bitmap_bytes(count));
  for (std::size_t i = 0; at != nullptr && i < count; ++i)
    if (!bitmap_test(bitmap, i)) at = skip_value(at, end, type);
  return at;
}

const char* skip_struct(const char* at, const char* end, const Type& type, std::uint64_t count) {
  if (count > type.fields().size()) return nullptr;
  const char* bitmap = at;
  at = step(at, end, bitmap_bytes(count));
  for (std::size_t i = 0; at != nullptr && i < count; ++i)
    if (!bitmap_test(bitmap, i)) at = skip_value(at, end, type.fields()[i].type);
  return at;
}

const char* skip_value(const char* at, const char* end, const Type& type) {
  if (const std::size_t width = row_width(type); width != 0) return step(at, end, width);
  std::uint64_t count;
  at = read_varint(at, end, count);
  if (at == nullptr) return nullptr;
  if (type.kind() == TypeKind::structure) return skip_struct(at, end, type, count);
  if (type.kind() != TypeKind::array && type.kind() != TypeKind::map) return step(at, end, count);
  if (count / 8 > static_cast<std::uint64_t>(end - at)) return nullptr;
  if (type.kind() == TypeKind::array) return skip_elements(at, end, type.element(), count);
  at = skip_elements(at, end, type.key(), count);
  return at == nullptr ? nullptr : skip_elements(at, end, type.value(), count);
}

class RowDecoder final : public Decoder {
 public:
  RowDecoder(std::vector<ColumnDef> columns, const std::vector<std::size_t>& wanted) {
    for (const ColumnDef& column : columns) types_.push_back(column.type);
    slots_.assign(types_.size(), kSkip);
    for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
      slots_[wanted[slot]] = slot;
      writers_.emplace_back(types_[wanted[slot]]);
    }
    last_ = wanted.empty() ? 0 : wanted.back() + 1;
  }

  void decode(std::span<const std::optional<std::string_view>> inputs, const std::shared_ptr<const void>& owner,
              std::vector<ColumnPtr>& out, Bitmap& bad, RowErrors& errors) override {
    const std::size_t rows = inputs.size();
    for (auto& writer : writers_) writer.start(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      if (inputs[row]) {
        const char* at = inputs[row]->data();
        if (read(at, at + inputs[row]->size(), row)) continue;
        bad.set(row, rows);
        errors.add(static_cast<std::uint32_t>(row), "broken internal row");
      }
      for (auto& writer : writers_) writer.set_null(row);
    }
    std::vector<std::shared_ptr<const void>> owners;
    if (owner) owners.push_back(owner);
    for (auto& writer : writers_) out.push_back(writer.finish(rows, owners));
  }

 private:
  bool read(const char* at, const char* end, std::size_t row) {
    std::uint64_t count;
    at = read_varint(at, end, count);
    if (at == nullptr || count > types_.size()) return false;
    const char* bitmap = at;
    at = step(at, end, bitmap_bytes(count));
    for (std::size_t i = 0; at != nullptr && i < last_; ++i) {
      const bool null = i >= count || bitmap_test(bitmap, i);
      if (slots_[i] == kSkip) {
        if (!null) at = skip_value(at, end, types_[i]);
      } else if (null) {
        writers_[slots_[i]].set_null(row);
      } else {
        at = read_value(at, end, writers_[slots_[i]], row);
      }
    }
    return at != nullptr;
  }

  std::vector<Type> types_;
  std::vector<std::size_t> slots_;  // of each column, kSkip: not wanted
  std::vector<ColumnWriter> writers_;
  std::size_t last_ = 0;  // behind the last wanted column
};

}  // namespace

std::unique_ptr<Decoder> make_row_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted) {
  return std::make_unique<RowDecoder>(std::move(columns), wanted);
}

Codec row_codec() {
  return {[](DecoderPlan plan) { return make_row_decoder(std::move(plan.columns), std::move(plan.wanted)); },
          [](EncoderPlan plan) { return make_row_encoder(std::move(plan.columns)); }};
}

}  // namespace millrace::inline exec
