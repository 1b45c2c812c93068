#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::inline exec {

/// How a store's values lie in memory and in the changelog: `size()` bytes, aligned to at most 8, the first eight of
/// which are the row's timestamp in ms. Immutable, any thread.
class ValueLayout {
 public:
  virtual ~ValueLayout() = default;
  virtual std::size_t size() const = 0;
  /// True: bytes may be copied and dropped freely; `copy` and `destroy` are then not called.
  virtual bool trivial() const = 0;
  /// Makes a value in the raw bytes at `to`.
  virtual void copy(const std::byte* from, std::byte* to) const = 0;
  virtual void destroy(std::byte* value) const = 0;
  /// Appends the value as the changelog keeps it.
  virtual void encode(const std::byte* value, std::string& out) const = 0;
  /// Makes a value in the raw bytes at `value`. False when the bytes are malformed: nothing was made then.
  virtual bool decode(std::string_view in, std::byte* value) const = 0;
  /// Memory behind the value that `size()` does not count.
  virtual std::size_t heap_bytes(const std::byte* value) const {
    (void)value;
    return 0;
  }
};

inline std::int64_t& value_timestamp(std::byte* value) {
  return *reinterpret_cast<std::int64_t*>(value);
}
inline std::int64_t value_timestamp(const std::byte* value) {
  return *reinterpret_cast<const std::int64_t*>(value);
}

/// A row in serialized form: what tables keep. The bytes belong to the value.
struct RowValue {
  std::int64_t timestamp;
  char* data;
  std::size_t size;
  std::string_view bytes() const { return {data, size}; }
};
RowValue& row_value(std::byte* value);
const RowValue& row_value(const std::byte* value);
/// Makes a RowValue that owns a copy of `bytes` in the raw bytes at `value`.
void make_row_value(std::byte* value, std::int64_t timestamp, std::string_view bytes);

/// Values are RowValue; in the changelog 8 bytes of timestamp, then the row.
const ValueLayout& row_layout();
/// The same for options of stores.
std::shared_ptr<const ValueLayout> shared_row_layout();

}  // namespace millrace::inline exec
