#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "exec/log/log.h"

/// The bytes of a run of records as the memory and the embedded log keep them.
///
/// Layout: a 32-byte header {version u8, flags u8, 2 unused, count u32, base timestamp i64, append time i64, span u32,
/// 4 unused}, then per record: [offset delta, sparse batches only] timestamp delta, key size + 1 (0: null), value size
/// + 1, header count, key bytes, value bytes, headers (size, key bytes, size + 1, value bytes). Numbers are LEB128,
/// deltas against the batch's base values, signed ones zigzag. Integers of the header are little endian.
namespace millrace::inline exec {

/// A sealed batch. Immutable once published; shared between the log, fetches and caches.
class RecordBatch {
 public:
  static constexpr std::size_t kHeaderBytes = 32;

  /// Takes encoded bytes; null when they are not a batch of a version we read.
  static std::shared_ptr<RecordBatch> from_bytes(std::int64_t base_offset, std::string_view bytes);
  RecordBatch(std::unique_ptr<char[]> data, std::size_t size) : data_(std::move(data)), size_(size) {}

  std::int64_t base_offset() const { return base_offset_; }
  std::int64_t next_offset() const { return base_offset_ + span(); }
  std::uint32_t count() const { return load<std::uint32_t>(4); }
  std::uint32_t span() const { return load<std::uint32_t>(24); }
  bool sparse() const { return (data_[1] & kSparse) != 0; }
  std::int64_t base_timestamp() const { return load<std::int64_t>(8); }
  std::int64_t append_time() const { return load<std::int64_t>(16); }
  std::string_view bytes() const { return {data_.get(), size_}; }

  /// Before publication only.
  void place(std::int64_t base_offset, std::int64_t append_time) {
    base_offset_ = base_offset;
    std::memcpy(data_.get() + 16, &append_time, sizeof append_time);
  }

 private:
  friend class RecordBatchBuilder;
  static constexpr char kVersion = 1;
  static constexpr char kSparse = 1;
  template <class T>
  T load(std::size_t at) const {
    T value;
    std::memcpy(&value, data_.get() + at, sizeof value);
    return value;
  }

  std::int64_t base_offset_ = -1;
  std::unique_ptr<char[]> data_;
  std::size_t size_;
};

using RecordBatchPtr = std::shared_ptr<const RecordBatch>;

/// Encodes records one after another into one batch. One thread.
class RecordBatchBuilder {
 public:
  /// `sparse`: records carry their own offsets (append with an offset), which must ascend from `base_offset`.
  explicit RecordBatchBuilder(bool sparse = false) : sparse_(sparse) {}

  void append(std::optional<std::string_view> key, std::optional<std::string_view> value, RecordTime timestamp,
              std::span<const HeaderView> headers, std::uint64_t offset_delta = 0);
  bool empty() const { return count_ == 0; }
  std::size_t bytes() const { return size_; }
  std::uint32_t count() const { return count_; }
  /// The batch so far; the builder is empty afterwards. `span`: offsets it stands for; 0: one per record. Precondition:
  /// not empty.
  std::shared_ptr<RecordBatch> seal(std::uint32_t span = 0);
  void clear() { size_ = count_ = 0; }

 private:
  char* room_for(std::size_t bytes);

  bool sparse_;
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t expected_ = 0;  // bytes of the next batch, if it is like those before
  std::uint32_t count_ = 0;
  std::int64_t base_timestamp_ = 0;
};

/// Walks the records of one batch.
class RecordCursor {
 public:
  RecordCursor() = default;
  explicit RecordCursor(RecordBatchPtr batch);
  const RecordBatchPtr& batch() const { return batch_; }
  bool done() const { return index_ == count_; }
  /// Decodes the next record; its headers, if any, go to the end of `headers` and `record.headers` is left for the
  /// caller to point there (`header_count` tells how many), because `headers` may move while it grows. False: the bytes
  /// are damaged.
  bool next(RecordView& record, std::vector<HeaderView>& headers, std::uint32_t& header_count);

 private:
  RecordBatchPtr batch_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint32_t count_ = 0;
  bool sparse_ = false;
  std::int64_t base_offset_ = 0;
  std::int64_t base_timestamp_ = 0;
};

}  // namespace millrace::inline exec
