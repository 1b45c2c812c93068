#include <cstring>

#include "exec/formats/format.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {

namespace {

std::uint32_t mix(std::uint32_t k) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  k *= kMultiplier;
  k ^= k >> 24;
  return k * kMultiplier;
}

/// MurmurHash2 with the seed of Kafka's Java clients.
std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995, kSeed = 0x9747b28c;
  std::uint32_t h = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 4; left -= 4, at += 4) {
    std::uint32_t k;
    std::memcpy(&k, at, 4);
    h = (h * kMultiplier) ^ mix(k);
  }
  if (left != 0) {
    std::uint32_t k = 0;
    std::memcpy(&k, at, left);
    h = (h ^ k) * kMultiplier;
  }
  h ^= h >> 13;
  h *= kMultiplier;
  return h ^ (h >> 15);
}

}  // namespace

std::int32_t partition_for(std::string_view key, std::int32_t partitions) {
  ensure(partitions > 0);
  return static_cast<std::int32_t>(murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace millrace::inline exec
