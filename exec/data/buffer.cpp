#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "exec/data/column.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kMinClass = 6;   // 64 bytes
constexpr std::size_t kMaxClass = 22;  // 4 MB; larger blocks go back to the system
constexpr std::size_t kMaxKeptBytes = std::size_t{16} << 20;

struct FreeBlock {
  FreeBlock* next;
};

/// Blocks given back by this thread, one list per power of two. Plain data, so that buffers which outlive the
/// thread's other objects can still be given back.
struct FreeList {
  FreeBlock* heads[kMaxClass + 1];
  std::size_t kept;
  bool closed;
};
thread_local constinit FreeList free_list{};

struct FreeListCloser {
  ~FreeListCloser() {
    free_list.closed = true;
    for (FreeBlock*& head : free_list.heads)
      while (head != nullptr) std::free(std::exchange(head, head->next));
  }
};

std::size_t class_of(std::size_t bytes) {
  return std::max<std::size_t>(kMinClass, std::bit_width(std::max<std::size_t>(bytes, 1) - 1));
}

std::byte* take(std::size_t size_class) {
  if (size_class <= kMaxClass && free_list.heads[size_class] != nullptr) {
    FreeBlock* block = free_list.heads[size_class];
    free_list.heads[size_class] = block->next;
    free_list.kept -= std::size_t{1} << size_class;
    return reinterpret_cast<std::byte*>(block);
  }
  void* memory = std::aligned_alloc(64, std::size_t{1} << size_class);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(memory);
}

void give_back(std::byte* memory, std::size_t size_class) {
  static thread_local FreeListCloser closer;
  (void)closer;
  const std::size_t bytes = std::size_t{1} << size_class;
  if (size_class > kMaxClass || free_list.closed || free_list.kept + bytes > kMaxKeptBytes) {
    std::free(memory);
    return;
  }
  auto* block = reinterpret_cast<FreeBlock*>(memory);
  block->next = free_list.heads[size_class];
  free_list.heads[size_class] = block;
  free_list.kept += bytes;
}

}  // namespace

Buffer::~Buffer() {
  if (data_ != nullptr) give_back(data_, class_of(capacity_));
}

void Buffer::grow(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes);
  std::byte* memory = take(size_class);
  if (data_ != nullptr) {
    std::memcpy(memory, data_, size_);
    give_back(data_, class_of(capacity_));
  }
  data_ = memory;
  capacity_ = std::size_t{1} << size_class;
}

void Bitmap::reserve(std::size_t rows) {
  const std::size_t had = words_.size();
  const std::size_t bytes = (rows + 63) / 64 * 8;
  if (bytes <= had) return;
  words_.resize(bytes);
  std::memset(words_.data() + had, 0, bytes - had);
}

std::size_t Bitmap::count(std::size_t rows) const {
  std::size_t total = 0;
  const auto all = words();
  const std::size_t full = std::min(rows / 64, all.size());
  for (std::size_t i = 0; i < full; ++i) total += static_cast<std::size_t>(std::popcount(all[i]));
  if (full < all.size() && rows % 64 != 0) {
    const std::uint64_t mask = (std::uint64_t{1} << (rows % 64)) - 1;
    total += static_cast<std::size_t>(std::popcount(all[full] & mask));
  }
  return total;
}

Arena::~Arena() = default;

char* Arena::allocate(std::size_t bytes) {
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  if (chunks_.empty() || used_ + bytes > chunks_.back().size()) {
    Buffer chunk;
    chunk.resize(std::max(bytes, chunks_.empty() ? std::size_t{4096} : kChunk));
    chunks_.push_back(std::move(chunk));
    used_ = 0;
  }
  char* at = chunks_.back().as<char>() + used_;
  used_ += bytes;
  return at;
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* at = allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

}  // namespace millrace::inline exec
