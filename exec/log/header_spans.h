#pragma once

#include <span>
#include <utility>
#include <vector>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Which records of a fetch have headers, while the array that these lie in still grows and moves.
class HeaderSpans {
 public:
  /// The headers added last are those of this record.
  void add(std::size_t record, std::size_t count) {
    if (count != 0) spans_.emplace_back(record, count);
  }
  void set(std::vector<RecordView>& records, std::span<const HeaderView> headers) const {
    std::size_t at = 0;
    for (const auto& [record, count] : spans_) {
      records[record].headers = headers.subspan(at, count);
      at += count;
    }
  }

 private:
  std::vector<std::pair<std::size_t, std::size_t>> spans_;
};

}  // namespace millrace::inline exec
