#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exec/data/batch.h"

/// Forms of records that several stages agree on: windowed keys, and values in the topics between subtopologies.
namespace millrace::inline exec {

/// Values of internal topics begin with one byte: the row kind, and whether the row's value is null.
constexpr std::uint8_t kKindMask = 0x03;
constexpr std::uint8_t kNullValueFlag = 0x04;
constexpr std::uint8_t kBareRow = 0x08;     // a stream row: it has no kind
constexpr std::uint8_t kTimeRecord = 0x10;  // no row: how far time has come for what a task has written (time_record)

inline void put_big_endian(std::string& out, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bits >> shift & 0xff));
}

/// Precondition: at least 8 bytes.
inline std::int64_t get_big_endian(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return static_cast<std::int64_t>(bits);
}

/// Between the rows of an internal topic, in every partition of it.
struct TimeRecord {
  std::size_t writer = 0;  // partition of the task that says so
  std::int64_t time = 0;
};
inline std::string write_time_record(const TimeRecord& record) {
  std::string out(1, static_cast<char>(kTimeRecord));
  put_big_endian(out, static_cast<std::int64_t>(record.writer));
  put_big_endian(out, record.time);
  return out;
}
inline bool is_time_record(const std::optional<std::string_view>& value) {
  return value && value->size() == 17 && static_cast<std::uint8_t>(value->front()) == kTimeRecord;
}
/// Precondition: is_time_record(value).
inline TimeRecord read_time_record(std::string_view value) {
  return {static_cast<std::size_t>(get_big_endian(value.substr(1))), get_big_endian(value.substr(9))};
}

}  // namespace millrace::inline exec
