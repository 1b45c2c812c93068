#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace millrace::inline exec {

/// LIMIT of a query: how many rows may still go out.
class RowLimit {
 public:
  RowLimit() : RowLimit(std::nullopt) {}
  explicit RowLimit(std::optional<std::int64_t> limit) : limited_(limit.has_value()), left_(limit.value_or(0)) {}

  bool reached() const { return limited_ && left_ <= 0; }
  /// Of so many rows, those that may go out.
  std::size_t of(std::size_t rows) const {
    return limited_ ? std::min(rows, static_cast<std::size_t>(std::max<std::int64_t>(left_, 0))) : rows;
  }
  void count(std::size_t rows) { left_ -= limited_ ? static_cast<std::int64_t>(rows) : 0; }

 private:
  bool limited_;
  std::int64_t left_;
};

}  // namespace millrace::inline exec
