#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace millrace::inline exec {

/// Memory of one store segment: small pieces from chunks, reused by size class, all freed together. One thread. Pieces
/// are aligned to 16 bytes.
class Slab {
 public:
  void* allocate(std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    if (index >= kClasses) return allocate_large(bytes);
    used_ += (index + 1) * kStep;
    if (Free* piece = free_[index]; piece != nullptr) {
      free_[index] = piece->next;
      return piece;
    }
    const std::size_t size = (index + 1) * kStep;
    if (left_ < size) new_chunk();
    left_ -= size;
    next_ += size;
    return next_ - size;
  }
  void release(void* piece, std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    if (index >= kClasses) {
      used_ -= bytes;
      return release_large(piece);
    }
    used_ -= (index + 1) * kStep;
    auto* free = static_cast<Free*>(piece);
    free->next = free_[index];
    free_[index] = free;
  }
  /// What a piece of that many bytes adds to `used`.
  static std::size_t taken(std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    return index >= kClasses ? bytes : (index + 1) * kStep;
  }
  /// Bytes in pieces given out.
  std::size_t used() const { return used_; }
  /// Bytes taken from the system for small pieces.
  std::size_t reserved() const { return reserved_; }

 private:
  struct Free {
    Free* next;
  };
  /// In front of a piece too large for the chunks.
  struct alignas(16) Large {
    std::size_t index;  // in large_
  };
  struct LargeDeleter {
    void operator()(Large* large) const { std::free(large); }
  };
  static constexpr std::size_t kStep = 16;
  static constexpr std::size_t kClasses = 64;
  static constexpr std::size_t kFirstChunk = 1024, kLargestChunk = 256 * 1024;

  static std::size_t class_of(std::size_t bytes) { return bytes == 0 ? 0 : (bytes - 1) / kStep; }
  void* allocate_large(std::size_t bytes) {
    if (large_.size() == large_.capacity()) large_.reserve(2 * large_.size() + 8);  // may fail while nothing is held
    void* memory = std::malloc(sizeof(Large) + bytes);
    if (memory == nullptr) throw std::bad_alloc();
    auto* large = new (memory) Large{large_.size()};
    large_.emplace_back(large);
    used_ += bytes;
    return large + 1;
  }
  void release_large(void* piece) {
    const std::size_t index = (static_cast<Large*>(piece) - 1)->index;
    std::swap(large_[index], large_.back());
    large_[index]->index = index;
    large_.pop_back();
  }
  void new_chunk() {
    chunks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[chunk_]));
    next_ = chunks_.back().get();
    left_ = chunk_;
    reserved_ += chunk_;
    if (chunk_ < kLargestChunk) chunk_ *= 2;
  }

  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<std::unique_ptr<Large, LargeDeleter>> large_;
  std::array<Free*, kClasses> free_{};
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t chunk_ = kFirstChunk;
  std::size_t used_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace millrace::inline exec
