#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "exec/log/embedded/segment_files.h"
#include "exec/log/local/storage.h"

/// Keys and small values of the embedded log's index, a RocksDB.
///
/// 'i' topic id, partition, base offset (big endian) -> where the batch lies; 't' name -> topic; 'b' topic id,
/// partition -> first offset that is still part of the log; 'k' topic id, partition -> compacted up to here; 'n' ->
/// next topic id; 'c' -> cluster id; 's' -> the place in the segment files up to which the index knows them.
namespace millrace::inline exec::embedded {

inline void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}
inline void put_u64(std::string& out, std::uint64_t value) {
  put_u32(out, static_cast<std::uint32_t>(value >> 32));
  put_u32(out, static_cast<std::uint32_t>(value));
}
inline std::uint32_t get_u32(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}
inline std::uint64_t get_u64(const char* at) {
  return std::uint64_t{get_u32(at)} << 32 | get_u32(at + 4);
}

constexpr std::size_t kBatchKeyBytes = 17;
constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

inline std::string partition_key(PartitionId id) {
  std::string key;
  put_u32(key, id.topic);
  put_u32(key, static_cast<std::uint32_t>(id.partition));
  return key;
}
inline std::string batch_key(PartitionId id, std::int64_t offset) {
  std::string key = 'i' + partition_key(id);
  put_u64(key, static_cast<std::uint64_t>(offset));
  return key;
}
inline std::int64_t base_offset(std::string_view key) {
  return static_cast<std::int64_t>(get_u64(key.data() + kBatchKeyBytes - 8));
}
inline std::string topic_prefix(std::uint32_t topic) {
  std::string key;
  put_u32(key, topic);
  return key;
}

inline std::string meta_key(char kind, PartitionId id) {
  return kind + partition_key(id);
}
inline std::string meta_key(char kind, std::uint32_t topic) {
  return kind + topic_prefix(topic);
}
inline std::string topic_key(std::string_view name) {
  return "t" + std::string(name);
}
inline constexpr std::string_view kNextTopicKey = "n";
inline constexpr std::string_view kClusterKey = "c";
inline constexpr std::string_view kPositionKey = "s";

inline std::string position_value(SegmentPosition position) {
  std::string value;
  put_u32(value, position.segment);
  put_u64(value, position.offset);
  return value;
}
inline SegmentPosition parse_position(std::string_view value) {
  if (value.size() != 12) return {};
  return {get_u32(value.data()), get_u64(value.data() + 4)};
}

inline std::string offset_value(std::int64_t offset) {
  std::string value;
  put_u64(value, static_cast<std::uint64_t>(offset));
  return value;
}

inline std::string topic_value(const StoredTopic& topic) {
  std::string value(1, '\1');
  put_u32(value, topic.id);
  put_u32(value, static_cast<std::uint32_t>(topic.config.partitions));
  value.push_back(static_cast<char>((topic.config.compacted ? 1 : 0) | (topic.config.compact_and_delete ? 2 : 0) |
                                    (topic.config.retention_ms ? 4 : 0)));
  put_u64(value, static_cast<std::uint64_t>(topic.config.retention_ms.value_or(0)));
  return value;
}

inline std::optional<StoredTopic> parse_topic(std::string_view name, std::string_view value) {
  constexpr std::size_t kBytes = 1 + 4 + 4 + 1 + 8;
  if (value.size() != kBytes || value[0] != '\1') return std::nullopt;
  StoredTopic topic{get_u32(value.data() + 1), std::string(name), {}};
  topic.config.partitions = static_cast<int>(get_u32(value.data() + 5));
  const char flags = value[9];
  topic.config.compacted = (flags & 1) != 0;
  topic.config.compact_and_delete = (flags & 2) != 0;
  if ((flags & 4) != 0) topic.config.retention_ms = static_cast<std::int64_t>(get_u64(value.data() + 10));
  return topic;
}

}  // namespace millrace::inline exec::embedded
