#include "exec/state/bulk_load.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace millrace::inline exec {
namespace {

constexpr std::size_t kChunk = 1 << 20;
constexpr std::uint32_t kNoValue = UINT32_MAX;

std::uint64_t number(std::string_view bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), std::min<std::size_t>(bytes.size(), sizeof(bits)));
  if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
  return bits;
}

}  // namespace

char* BulkLoad::allocate(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes > kChunk / 4) {
    large_.push_back(std::unique_ptr<char[]>(new char[bytes]));
    return large_.back().get();
  }
  if (left_ < bytes) {
    if (chunk_ == chunks_.size()) chunks_.push_back(std::unique_ptr<char[]>(new char[kChunk]));
    next_ = chunks_[chunk_++].get();
    left_ = kChunk;
  }
  left_ -= bytes;
  next_ += bytes;
  return next_ - bytes;
}

void BulkLoad::add(std::string_view key, std::optional<std::string_view> value) {
  const std::uint32_t size = value ? static_cast<std::uint32_t>(value->size()) : kNoValue;
  char* at = allocate(sizeof(size) + key.size() + (value ? value->size() : 0));
  std::memcpy(at, &size, sizeof(size));
  std::memcpy(at + sizeof(size), key.data(), key.size());
  if (value && !value->empty()) std::memcpy(at + sizeof(size) + key.size(), value->data(), value->size());
  items_.push_back({number(key), key.size() > 8 ? number(key.substr(8)) : 0, at, static_cast<std::uint32_t>(key.size()),
                    static_cast<std::uint32_t>(items_.size())});
}

BulkLoad::Record BulkLoad::read(const Item& item) {
  std::uint32_t size = 0;
  std::memcpy(&size, item.at, sizeof(size));
  const std::string_view key(item.at + sizeof(size), item.key_size);
  if (size == kNoValue) return {key, std::nullopt};
  return {key, std::string_view(key.data() + key.size(), size)};
}

bool BulkLoad::same_key(const Item& a, const Item& b) {
  return a.high == b.high && a.low == b.low && read(a).key == read(b).key;
}

void BulkLoad::sort() {
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    if (a.high != b.high) return a.high < b.high;
    if (a.low != b.low) return a.low < b.low;
    const int order = read(a).key.compare(read(b).key);
    return order != 0 ? order < 0 : a.order < b.order;
  });
}

void BulkLoad::reset() {
  items_.clear();
  large_.clear();
  chunk_ = 0;
  next_ = nullptr;
  left_ = bytes_ = 0;
}

}  // namespace millrace::inline exec
