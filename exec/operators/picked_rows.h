#pragma once

#include <span>
#include <vector>

#include "exec/data/batch.h"

namespace millrace::inline exec {

/// Batches that are kept, to be put together anew row by row: columns, times and windows.
class KeptBatches {
 public:
  explicit KeptBatches(const Schema& schema);

  /// The number of the batch in a Pick.
  std::uint32_t add(const Batch& batch);
  void clear() { batches_.clear(); }
  bool empty() const { return batches_.empty(); }
  std::size_t size() const { return batches_.size(); }
  /// Precondition: something was added, and no pick is a NULL row.
  Batch rows(std::span<const Pick> picks) const;

 private:
  using Times = std::shared_ptr<const std::vector<std::int64_t>>;
  Times times(std::span<const Pick> picks, Times Batch::*member) const;

  std::vector<Type> types_;
  std::vector<Batch> batches_;
};

}  // namespace millrace::inline exec
