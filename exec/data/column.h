#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/error/ensure.h"
#include "planner/types/value.h"

namespace millrace::inline exec {

/// Bytes on a 64-byte boundary that grow by doubling. Memory comes from and returns to a free list of
/// the thread, so a steady state allocates nothing. Move only.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Buffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// New bytes are not initialised.
  void resize(std::size_t bytes) {
    if (bytes > capacity_) grow(bytes);
    size_ = bytes;
  }
  void clear() { size_ = 0; }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  void grow(std::size_t bytes);
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// One bit a row, set = true. An empty bitmap means "no bit set" for any number of rows.
class Bitmap {
 public:
  bool empty() const { return words_.empty(); }
  bool test(std::size_t i) const {
    return !words_.empty() && (words_.as<std::uint64_t>()[i >> 6] >> (i & 63) & 1) != 0;
  }
  /// Makes room for `rows` bits, keeps set ones, new ones are clear.
  void reserve(std::size_t rows);
  /// Precondition: room was made for bit i.
  void set(std::size_t i) { words_.as<std::uint64_t>()[i >> 6] |= std::uint64_t{1} << (i & 63); }
  void reset(std::size_t i) { words_.as<std::uint64_t>()[i >> 6] &= ~(std::uint64_t{1} << (i & 63)); }
  /// Sets bit i of a bitmap for `rows` rows, making room the first time.
  void set(std::size_t i, std::size_t rows) {
    if (words_.size() * 8 < rows) reserve(rows);
    set(i);
  }
  void clear() { words_.clear(); }
  std::size_t count(std::size_t rows) const;
  std::span<std::uint64_t> words() { return {words_.as<std::uint64_t>(), words_.size() / 8}; }
  std::span<const std::uint64_t> words() const { return {words_.as<std::uint64_t>(), words_.size() / 8}; }

 private:
  Buffer words_;
};

struct Column;
using ColumnPtr = std::shared_ptr<const Column>;

/// Values of one type. Written once by whoever makes it, then shared and immutable.
///
/// data holds, by type: BOOLEAN std::uint8_t; INTEGER, TIME, DATE std::int32_t; BIGINT, TIMESTAMP
/// std::int64_t; DOUBLE double; DECIMAL Int128 (unscaled; scale in the type); STRING, BYTES
/// std::string_view; ARRAY, MAP std::uint32_t offsets, size + 1 of them, into the children (ARRAY:
/// one child; MAP: keys, values); STRUCT nothing, one child per field, each `size` long.
/// A NULL row's data is unspecified but initialised (views empty).
struct Column {
  Type type;
  std::size_t size = 0;
  Buffer data;
  Bitmap nulls;  // empty: no NULL
  std::vector<std::shared_ptr<Column>> children;
  std::vector<std::shared_ptr<const void>> keep;  // owners of what views point to

  template <class T>
  std::span<const T> values() const {
    ensure(data.size() >= size * sizeof(T));
    return {data.as<T>(), size};
  }
  template <class T>
  T* values_mut() {
    return data.as<T>();
  }
  bool is_null(std::size_t row) const { return nulls.test(row); }
  void keep_alive(const Column& other) {
    for (const auto& owner : other.keep)
      if (keep.empty() || keep.back() != owner) keep.push_back(owner);
  }
};

/// Bytes of one value in `data` (0 for STRUCT; the offset width for ARRAY and MAP).
std::size_t value_width(const Type& type);

/// A column of `rows` uninitialised values of a fixed-width or view type (views are emptied).
std::shared_ptr<Column> make_column(const Type& type, std::size_t rows);
/// All rows NULL.
std::shared_ptr<Column> make_null_column(const Type& type, std::size_t rows);
/// All rows the same value.
std::shared_ptr<Column> make_constant_column(const Value& value, const Type& type, std::size_t rows);
/// Rows `rows[i]` of `column`, in that order. Views are shared, not copied.
std::shared_ptr<Column> gather(const Column& column, std::span<const std::uint32_t> rows);
/// Where a row of `interleave` comes from.
struct Pick {
  static constexpr std::uint32_t kNull = UINT32_MAX;
  std::uint32_t source = kNull;  // index into the sources; kNull: the row is NULL
  std::uint32_t row = 0;
};
/// Row i is row `picks[i].row` of `sources[picks[i].source]`. Precondition: all sources have the type `type`.
std::shared_ptr<Column> interleave(const Type& type, std::span<const Column* const> sources,
                                   std::span<const Pick> picks);
/// One value in a box; for slow paths.
Value get_value(const Column& column, std::size_t row);
/// Appends rows one by one from boxes; strings are copied into an arena the column keeps. For slow paths and tests.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(Type type);
  ~ColumnBuilder();
  ColumnBuilder(ColumnBuilder&&) noexcept;
  void append(const Value& value);
  std::shared_ptr<Column> finish();  // the builder is empty afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Memory for strings made while a batch is worked on: bump allocation in chunks, freed together. Hand a
/// shared_ptr to `Column::keep`. One thread.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  char* allocate(std::size_t bytes);
  std::string_view copy(std::string_view text);

 private:
  std::vector<Buffer> chunks_;
  std::size_t used_ = 0;
};

}  // namespace millrace::inline exec
