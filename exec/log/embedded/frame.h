#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/log/embedded/segment_files.h"
#include "exec/log/local/storage.h"

/// What one append to the embedded log's segment files holds: a list of operations that take effect together, and the
/// bytes of the batches among them.
///
/// Frame: header (magic u32, size of operations u32, size of batch bytes u64, hash of operations u64), operations,
/// batch bytes in the order of their operations. Big endian. The hash takes in the frame's place, so that bytes of an
/// older file do not pass for a frame.
namespace millrace::inline exec::embedded {

/// Where a batch lies and what can be said without reading it.
struct BatchLocation {
  SegmentPosition at;
  std::uint32_t size = 0;
  std::uint32_t span = 0;
  std::int64_t append_time = 0;
  std::uint64_t hash = 0;
};
std::string location_value(const BatchLocation& location);
/// Precondition: written by location_value.
BatchLocation parse_location(std::string_view value);
std::uint64_t hash_batch(std::string_view bytes);

struct Operation {
  enum class Kind : std::uint8_t {
    put_batch = 1,     // partition, offset: its base, location
    delete_batch = 2,  // partition, offset: its base
    put_meta = 3,      // key, value
    delete_meta = 4,   // key
    erase_topic = 5,   // partition.topic: batches and offsets of all partitions
    drop_before = 6,   // partition, offset: the new beginning, kept: base of the first batch that stays
  };
  Kind kind{};
  PartitionId partition;
  std::int64_t offset = 0;
  std::int64_t kept = 0;
  BatchLocation location;
  std::string_view key;
  std::string_view value;
};

/// Gathers operations. Batches must stay alive until the frame is written.
class Change {
 public:
  void put_batch(PartitionId partition, const RecordBatch& batch);
  void delete_batch(PartitionId partition, std::int64_t base);
  void put_meta(std::string_view key, std::string_view value);
  void delete_meta(std::string_view key);
  void erase_topic(std::uint32_t topic);
  void drop_before(PartitionId partition, std::int64_t begin, std::int64_t kept);
  bool empty() const { return operations_.empty(); }

  const std::string& operations() const { return operations_; }
  const std::vector<std::string_view>& batches() const { return batches_; }
  /// The header of the frame at `at`.
  std::string header(SegmentPosition at) const;

 private:
  void begin(Operation::Kind kind, PartitionId partition);

  std::string operations_;
  std::vector<std::string_view> batches_;
  std::uint64_t batch_bytes_ = 0;
};

constexpr std::size_t kFrameHeaderBytes = 24;

struct FrameHeader {
  std::uint32_t operation_bytes = 0;
  std::uint64_t batch_bytes = 0;
  std::uint64_t hash = 0;
};
/// Empty when these are not the first bytes of a frame.
std::optional<FrameHeader> parse_header(std::string_view bytes);
std::uint64_t hash_operations(std::string_view operations, SegmentPosition at);

/// Takes operations apart; `at` is the frame's place. Empty when they are damaged.
std::optional<std::vector<Operation>> parse_operations(std::string_view operations, SegmentPosition at);

}  // namespace millrace::inline exec::embedded
