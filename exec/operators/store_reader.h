#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Turns what a store keeps back into the rows its operator gives: for pull queries. One thread at a time.
class StoreReader {
 public:
  /// `owner` declares the store: an AggregateNode or a MaterializeNode, which must outlive the reader. Other nodes are
  /// a bug.
  explicit StoreReader(const PlanNode& owner);
  ~StoreReader();

  /// Key bytes without window.
  std::string key(std::span<const Value> values) const;
  /// Rows of these entries (key and value as Store::get visits them), in order, with windows where the store has them.
  Result<Batch> decode(std::span<const std::pair<std::string, std::string>> entries);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::inline exec
