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
  /// `owner`, whose store holds its result, must outlive the reader.
  /// `wanted`, by column of the owner: others may be NULL in what is read; empty: all are wanted.
  explicit StoreReader(const PlanNode& owner, std::vector<bool> wanted = {});
  ~StoreReader();

  /// Key bytes without window.
  std::string key(std::span<const Value> values) const;
  /// Rows of these entries (key and value as Store::get visits them), in order, with windows where the store has them.
  Result<Batch> decode(std::span<const std::pair<std::string, std::string>> entries);
  /// The same of values as they lie in the store (Store::snapshot_values). The rows own what they hold.
  Result<Batch> read(std::span<const std::string_view> keys, std::span<const std::byte* const> values);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::inline exec
