#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/column.h"
#include "planner/types/schema.h"

/// Keys of stores: memcomparable bytes, so that byte order is key order, column by column, NULL first.
///
/// Each column: 00 for NULL, else 01 and the value: integers big-endian with the sign bit flipped, doubles likewise by
/// total order (of plain_double: what `=` finds equal has the same bytes), STRING and BYTES with 00 escaped as 00 FF
/// and ended by 00 00, ARRAY and MAP as 01-led items ended by 00 (maps in key order), STRUCT as its fields. Every
/// encoding ends itself, so a window can follow the key and a prefix scan over the key finds all its windows in time
/// order.
///
/// Windowed keys carry the start (8 bytes, as a BIGINT value); session keys the end, then the start.
namespace millrace::inline exec {

/// Keys back to back: key i is bytes[ends[i-1], ends[i]).
struct KeyBuffer {
  std::string bytes;
  std::vector<std::uint32_t> ends;
  void clear() {
    bytes.clear();
    ends.clear();
  }
  std::size_t size() const { return ends.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::uint32_t from = i == 0 ? 0 : ends[i - 1];
    return {bytes.data() + from, ends[i] - from};
  }
};

constexpr std::size_t kWindowBytes = 8;

/// Replaces `out` by one key per entry of `rows` (rows may repeat). `suffixes[k][i]` is appended to key i as 8 bytes.
void encode_keys(std::span<const ColumnPtr> columns, std::span<const std::uint32_t> rows,
                 std::span<const std::span<const std::int64_t>> suffixes, KeyBuffer& out);

/// One key from boxes, for look-ups. `values` may be fewer than the key has columns: a prefix for scans.
std::string encode_key(std::span<const Value> values, std::span<const ColumnDef> columns);
void append_window(std::int64_t millis, std::string& out);
std::int64_t read_window(const char* bytes);

/// Turns keys back into one column per type. `suffix_bytes` at the end of each key are left out. The columns own what
/// they hold. Precondition: the keys were made by encode_keys for these types.
std::vector<ColumnPtr> decode_keys(std::span<const Type> types, std::span<const std::string_view> keys,
                                   std::size_t suffix_bytes);

}  // namespace millrace::inline exec
