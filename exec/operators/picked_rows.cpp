#include "exec/operators/picked_rows.h"

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {

KeptBatches::KeptBatches(const Schema& schema) {
  for (const ColumnDef& column : schema.columns) types_.push_back(column.type);
}

std::uint32_t KeptBatches::add(const Batch& batch) {
  batches_.push_back(share(batch));
  return static_cast<std::uint32_t>(batches_.size() - 1);
}

KeptBatches::Times KeptBatches::times(std::span<const Pick> picks, Times Batch::*member) const {
  if (batches_.front().*member == nullptr) return nullptr;
  auto made = std::make_shared<std::vector<std::int64_t>>();
  made->reserve(picks.size());
  for (const Pick& pick : picks) made->push_back((*(batches_[pick.source].*member))[pick.row]);
  return made;
}

Batch KeptBatches::rows(std::span<const Pick> picks) const {
  Batch made;
  made.rows = picks.size();
  std::vector<const Column*> sources(batches_.size());
  for (std::size_t c = 0; c < types_.size(); ++c) {
    for (std::size_t b = 0; b < batches_.size(); ++b) sources[b] = batches_[b].columns[c].get();
    made.columns.push_back(interleave(types_[c], sources, picks));
  }
  made.timestamps = times(picks, &Batch::timestamps);
  made.window_start = times(picks, &Batch::window_start);
  made.window_end = times(picks, &Batch::window_end);
  return made;
}

}  // namespace millrace::inline exec
