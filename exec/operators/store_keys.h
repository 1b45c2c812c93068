#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/state/key_codec.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// How the key of a relation, window included, stands in a store.
class StoreKeys {
 public:
  /// Key columns `types`, and the window that rows of the relation carry, if any.
  StoreKeys(std::vector<Type> types, std::optional<WindowInfo> window);
  /// The key of the rows that `node` gives.
  explicit StoreKeys(const PlanNode& node);

  std::size_t window_bytes() const { return window_bytes_; }
  std::size_t columns() const { return types_.size(); }

  /// Keys of rows that carry their window themselves.
  void encode(const Batch& in, std::span<const std::uint32_t> rows, KeyBuffer& out) const;
  /// Sets the key columns (put in front of those already there), timestamps left alone, and the window of `out`.
  void decode(std::span<const std::string_view> keys, Batch& out) const;
  /// The window alone.
  void decode_window(std::span<const std::string_view> keys, Batch& out) const;

 private:
  std::vector<Type> types_;
  std::optional<WindowInfo> window_;
  std::size_t window_bytes_ = 0;
};

}  // namespace millrace::inline exec
