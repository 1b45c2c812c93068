#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "exec/data/result.h"

namespace millrace::inline exec {

/// Changelog records as they came, in the order of their keys once enough have gathered: for replaying a changelog into
/// sorted files without decoding it. One thread.
class BulkLoad {
 public:
  /// Copies both; no value: the key was removed.
  void add(std::string_view key, std::optional<std::string_view> value);
  bool empty() const { return items_.empty(); }
  std::size_t memory_bytes() const { return bytes_ + items_.capacity() * sizeof(Item); }

  /// Calls `visit(key, value)` for every key in ascending order with what was added last, until it fails.
  template <class Visit>
  Status visit_sorted(Visit visit) {
    sort();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (i + kAhead < items_.size()) __builtin_prefetch(items_[i + kAhead].at);
      const Record record = read(items_[i]);
      if (i + 1 < items_.size() && same_key(items_[i], items_[i + 1])) continue;
      if (Status visited = visit(record.key, record.value); !visited) return visited;
    }
    return {};
  }
  /// Forgets the records; keeps the memory for the next.
  void reset();

 private:
  static constexpr std::size_t kAhead = 8;
  /// Key and value lie at `at` behind the value's size; the first sixteen bytes of the key as numbers decide most
  /// comparisons.
  struct Item {
    std::uint64_t high, low;
    const char* at;
    std::uint32_t key_size;
    std::uint32_t order;
  };
  struct Record {
    std::string_view key;
    std::optional<std::string_view> value;
  };
  static Record read(const Item& item);
  static bool same_key(const Item& a, const Item& b);
  void sort();
  char* allocate(std::size_t bytes);

  std::vector<Item> items_;
  std::vector<std::unique_ptr<char[]>> chunks_, large_;
  std::size_t chunk_ = 0;  // chunks in use
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::inline exec
