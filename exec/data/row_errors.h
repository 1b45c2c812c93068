#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline exec {

/// What went wrong on rows of a batch: for the processing log. Filled by evaluators, drained by operators.
struct RowErrors {
  struct Entry {
    std::uint32_t row = 0;
    std::string message;
  };
  std::vector<Entry> entries;  // at most kMaxKept per batch; the rest is only counted
  std::uint64_t count = 0;
  static constexpr std::size_t kMaxKept = 16;
  void add(std::uint32_t row, std::string_view message) {
    ++count;
    if (entries.size() >= kMaxKept) return;
    Entry& entry = entries.emplace_back();
    entry.row = row;
    entry.message = message;
  }
};

}  // namespace millrace::inline exec
