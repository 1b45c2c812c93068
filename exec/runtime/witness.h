#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// A record that a partition held when it was read. When its offset holds another one, the topic was made anew, or lost
/// its end and grew again: offsets kept from before mean nothing there.
struct Witness {
  std::int64_t offset = -1;  // -1: none
  std::int64_t timestamp = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const Witness&, const Witness&) = default;
};

/// The hash stands in progress records: it must stay what it is. Of long keys and values the first bytes count.
inline Witness witness_of(const RecordView& record) {
  constexpr std::size_t kBytes = 512;
  constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = 0;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
  };
  for (const auto& part : {record.key, record.value}) {
    mix(part ? part->size() : UINT64_MAX);
    if (!part) continue;
    const std::string_view bytes = part->substr(0, kBytes);
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
      mix(word);
    }
  }
  return {record.offset, record.timestamp, hash};
}

}  // namespace millrace::inline exec
