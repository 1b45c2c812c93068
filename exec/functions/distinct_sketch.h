#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::inline exec {

/// About how many distinct hashes there were: exact up to kMaxExact, then HyperLogLog with 2^14 registers. One piece of
/// memory: a head, then a hash table or the registers. Freed by `release`; null is an empty one.
class DistinctSketch {
 public:
  static constexpr std::uint32_t kMaxExact = 1024;

  static void insert(DistinctSketch*& sketch, std::uint64_t hash) {
    hash |= static_cast<std::uint64_t>(hash == 0);  // 0 marks a free place
    if (sketch == nullptr) sketch = make_table(kFirstPlaces);
    if (sketch->places_ == 0) return sketch->rank(hash);
    const std::size_t place = sketch->place_of(hash);
    if (sketch->table()[place] == hash) return;
    sketch->table()[place] = hash;
    if (++sketch->hashes_ * 4 > sketch->places_ * 3 || sketch->hashes_ > kMaxExact) grow(sketch);
  }
  /// Brings what `insert` looks at first, and then, the head being here, the place of the hash.
  static void prefetch(const DistinctSketch* sketch) { __builtin_prefetch(sketch); }
  static void prefetch(const DistinctSketch* sketch, std::uint64_t hash) {
    if (sketch == nullptr) return;
    if (sketch->places_ == 0)
      __builtin_prefetch(sketch->registers() + (hash >> (64 - kIndexBits)));
    else
      __builtin_prefetch(sketch->table() + (hash & (sketch->places_ - 1)));
  }

  /// Of its piece of memory.
  std::size_t bytes() const;
  static DistinctSketch* copy(const DistinctSketch* from);
  static void release(DistinctSketch* sketch);
  static void merge(DistinctSketch*& into, const DistinctSketch* from);
  static std::int64_t estimate(const DistinctSketch* sketch);

  /// The registers (or no bytes) behind their length, the number of hashes, the hashes.
  static void encode(const DistinctSketch* sketch, std::string& out);
  /// Reads what `encode` appended off the front of `in` and merges it. False when it is malformed.
  static bool merge_encoded(DistinctSketch*& into, std::string_view& in);

 private:
  static constexpr int kIndexBits = 14;
  static constexpr std::size_t kRegisters = std::size_t{1} << kIndexBits;
  static constexpr std::uint32_t kFirstPlaces = 4;

  static DistinctSketch* make_table(std::uint32_t places);
  static DistinctSketch* make_registers();
  static void grow(DistinctSketch*& sketch);
  /// Makes registers of a table.
  static void widen(DistinctSketch*& sketch);

  std::uint64_t* table() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* table() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  std::uint8_t* registers() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* registers() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  /// Where the hash is or would be.
  std::size_t place_of(std::uint64_t hash) const {
    std::size_t at = hash & (places_ - 1);
    while (table()[at] != 0 && table()[at] != hash) at = (at + 1) & (places_ - 1);
    return at;
  }
  void rank(std::uint64_t hash) {
    std::uint8_t& rank = registers()[hash >> (64 - kIndexBits)];
    const int zeros = __builtin_clzll(hash << kIndexBits | (std::uint64_t{1} << (kIndexBits - 1)));
    if (rank <= zeros) rank = static_cast<std::uint8_t>(zeros + 1);
  }
  template <class Visit>
  void for_each_hash(Visit visit) const {
    for (std::uint32_t i = 0; i < places_; ++i)
      if (table()[i] != 0) visit(table()[i]);
  }

  std::uint32_t hashes_;  // in the table
  std::uint32_t places_;  // of the table, a power of two; 0: registers
};

}  // namespace millrace::inline exec
