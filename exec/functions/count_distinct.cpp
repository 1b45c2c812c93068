#define XXH_INLINE_ALL
#include "exec/functions/count_distinct.h"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/canonical_value.h"
#include "exec/functions/distinct_sketch.h"

namespace millrace::inline exec {
namespace {

/// A state is a pointer to a sketch of what was not NULL.
class CountDistinct final : public Aggregate {
 public:
  explicit CountDistinct(const AggregateSpec& spec) : argument_(spec.arguments[0]), type_(spec.result) {}

  Layout layout() const override { return {sizeof(DistinctSketch*), alignof(DistinctSketch*), false}; }
  const Type& type() const override { return type_; }
  void init(std::byte* state) const override { slot(state) = nullptr; }
  void destroy(std::byte* state) const override { DistinctSketch::release(slot(state)); }
  void copy(const std::byte* from, std::byte* to) const override { slot(to) = DistinctSketch::copy(slot(from)); }

  /// Blocks of rows in three passes, so that cache misses overlap.
  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    const Column& column = *arguments[0];
    std::array<std::uint64_t, kBlock> hashes;
    std::array<DistinctSketch**, kBlock> sketches;
    for (std::size_t from = 0; from < rows.size(); from += kBlock) {
      const std::size_t to = std::min(from + kBlock, rows.size());
      std::size_t taken = 0;
      for (std::size_t i = from; i < to; ++i) {
        if (column.is_null(rows[i])) continue;
        sketches[taken] = &slot(states[i] + offset);
        DistinctSketch::prefetch(*sketches[taken]);
        hashes[taken++] = hash(column, rows[i]);
      }
      for (std::size_t i = 0; i < taken; ++i) DistinctSketch::prefetch(*sketches[i], hashes[i]);
      for (std::size_t i = 0; i < taken; ++i) DistinctSketch::insert(*sketches[i], hashes[i]);
    }
    return {};
  }
  Status undo(std::span<std::byte* const>, std::size_t, std::span<const ColumnPtr>,
              std::span<const std::uint32_t>) const override {
    return {};
  }
  bool supports_undo() const override { return false; }

  Status merge(std::byte* into, const std::byte* from) const override {
    DistinctSketch::merge(slot(into), slot(from));
    return {};
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    constexpr std::size_t kAhead = 8;
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (i + kAhead < states.size()) DistinctSketch::prefetch(slot(states[i + kAhead] + offset));
      bool present = false;
      if (!codec::get(encoded[i], present)) return malformed_state();
      if (present && !DistinctSketch::merge_encoded(slot(states[i] + offset), encoded[i])) return malformed_state();
    }
    return {};
  }
  std::size_t heap_bytes(const std::byte* state) const override {
    return slot(state) == nullptr ? 0 : slot(state)->bytes() + heap::kPiece;
  }
  void encode(const std::byte* state, std::string& out) const override {
    codec::put(slot(state) != nullptr, out);
    if (slot(state) != nullptr) DistinctSketch::encode(slot(state), out);
  }
  bool decode(std::string_view& in, std::byte* state) const override {
    bool present = false;
    if (!codec::get(in, present)) return false;
    slot(state) = nullptr;
    if (!present || DistinctSketch::merge_encoded(slot(state), in)) return true;
    DistinctSketch::release(slot(state));
    return false;
  }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    auto column = make_column(type_, states.size());
    auto* counts = column->values_mut<std::int64_t>();
    for (std::size_t i = 0; i < states.size(); ++i) counts[i] = DistinctSketch::estimate(slot(states[i] + offset));
    return column;
  }

 private:
  static constexpr std::size_t kBlock = 64;

  static DistinctSketch*& slot(std::byte* state) { return *reinterpret_cast<DistinctSketch**>(state); }
  static const DistinctSketch* slot(const std::byte* state) {
    return *reinterpret_cast<const DistinctSketch* const*>(state);
  }

  /// Of the canonical bytes, which are put together here where there is no need for a Value.
  std::uint64_t hash(const Column& column, std::size_t row) const {
    switch (argument_.kind()) {
      case TypeKind::integer:
        return hash_number(column.data.as<std::int32_t>()[row]);
      case TypeKind::bigint:
        return hash_number(column.data.as<std::int64_t>()[row]);
      case TypeKind::string: {
        thread_local std::string bytes;
        bytes.assign(1, '\1');
        codec::put_text(column.data.as<std::string_view>()[row], bytes);
        return XXH3_64bits(bytes.data(), bytes.size());
      }
      default: {
        const std::string bytes = canonical_bytes(millrace::get_value(column, row), argument_);
        return XXH3_64bits(bytes.data(), bytes.size());
      }
    }
  }
  /// As codec::put writes numbers.
  static std::uint64_t hash_number(std::int64_t number) {
    std::array<char, 11> bytes;
    std::size_t size = 0;
    bytes[size++] = 1;
    std::uint64_t left = static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63);
    for (; left >= 0x80; left >>= 7) bytes[size++] = static_cast<char>(left | 0x80);
    bytes[size++] = static_cast<char>(left);
    return XXH3_64bits(bytes.data(), size);
  }

  Type argument_, type_;
};

}  // namespace

AggregateMaker count_distinct_aggregate() {
  return [](const AggregateSpec& spec) -> std::unique_ptr<Aggregate> { return std::make_unique<CountDistinct>(spec); };
}

}  // namespace millrace::inline exec
