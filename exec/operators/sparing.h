#pragma once

#include <algorithm>
#include <cstddef>

namespace millrace::inline exec {

/// Whether an operator that is there only to have fewer rows moved is worth its work. Where less than a third of the
/// rows was spared, sixteen times as many go by untouched. One thread.
class Sparing {
 public:
  /// Rows are at hand: whether they go by.
  bool lets_by(std::size_t rows) {
    const bool by = rows_by_ != 0;
    rows_by_ -= std::min(rows_by_, rows);
    return by;
  }
  /// That many rows became so many; enough of them to tell by.
  void saw(std::size_t rows, std::size_t left) {
    if (rows * 2 < left * 3) rows_by_ = rows * kRowsBy;
  }

 private:
  static constexpr std::size_t kRowsBy = 16;
  std::size_t rows_by_ = 0;
};

}  // namespace millrace::inline exec
