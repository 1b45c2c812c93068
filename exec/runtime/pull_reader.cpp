#include <algorithm>
#include <limits>

#include "exec/formats/format.h"
#include "exec/runtime/layout.h"
#include "exec/runtime/pull.h"
#include "exec/runtime/pull_readers.h"
#include "parser/error/ensure.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kIdleReaders = 16;
constexpr std::size_t kWindowTail = 17;  // more than any window adds to a key

}  // namespace

PullReader::PullReader(const PhysicalPlan& plan) {
  const Materialization& table = *plan.materialization;
  for (std::size_t i = 0; i < plan.subtopologies.size(); ++i)
    if (plan.subtopologies[i].id == table.subtopology) subtopology_ = i;
  const Subtopology& subtopology = plan.subtopologies[subtopology_];
  for (const StorePlan& store : subtopology.stores)
    if (store.name == table.store) store_ = &store;
  ensure(store_ != nullptr);
  window_ = table.window;
  key_columns_ = table.store_schema.keys();
  key_format_ = sources_of(*subtopology.root).front()->as<SourceNode>()->key_format;
  reader_ = std::make_unique<StoreReader>(*store_->owner);
  for (const NodePtr& node : table.above) {
    Step step;
    if (const auto* filter = node->as<FilterNode>()) step.filter.emplace(filter->predicate);
    if (const auto* project = node->as<ProjectNode>())
      for (const ProjectItem& item : project->items) step.project.emplace_back(item.expr);
    steps_.push_back(std::move(step));
  }
  // A table reads as its topic does.
  if (const auto* sink = plan.subtopologies.back().root->as<SinkNode>())
    defaults_ = ProtobufDefaults::make(sink->value_format, plan.result.columns);
}

Result<int> PullReader::partition_of(const PullLookup& lookup, int partitions) const {
  auto key = encode_row(key_format_, key_columns_, lookup.key, true);
  if (!key) return key.error();
  return *key ? partition_for(**key, partitions) : 0;
}

Status PullReader::look_up(Store& store, const PullLookup& lookup, Entries& out) const {
  const std::string key = reader_->key(lookup.key);
  const auto add = [&](std::string_view stored_key, std::string_view value) {
    out.emplace_back(stored_key, value);
    return true;
  };
  if (!window_) return store.get(key, add);
  if (window_->type == WindowType::session) return store.scan(key, key + std::string(kWindowTail, '\xff'), add);
  std::int64_t from = lookup.window_start_min.value_or(0);
  std::int64_t to = lookup.window_start_max.value_or(std::numeric_limits<std::int64_t>::max() / 2);
  const std::int64_t size = window_->size_ms.value_or(0);
  if (lookup.window_end_min) from = std::max(from, *lookup.window_end_min - size);
  if (lookup.window_end_max) to = std::min(to, *lookup.window_end_max - size);
  return store.get_windows(key, from, to, add);
}

Result<std::unique_ptr<StoreScan>> PullReader::scan(Store& store, const PullLookup& lookup) const {
  std::string from, to;
  if (lookup.range_min) from = reader_->key(std::span(&*lookup.range_min, 1));
  if (lookup.range_max) to = reader_->key(std::span(&*lookup.range_max, 1)) + std::string(kWindowTail, '\xff');
  return store.snapshot(from, to);
}

Result<Batch> PullReader::rows(const Entries& entries, const PullLookup& lookup) {
  auto batch = reader_->decode(entries);
  if (!batch) return batch.error();
  Batch result = within(std::move(*batch), lookup);
  for (Step& step : steps_) result = apply(step, std::move(result));
  if (defaults_) defaults_->apply(result.columns);
  return result;
}

Batch PullReader::within(Batch&& batch, const PullLookup& lookup) const {
  if (!batch.window_start) return std::move(batch);
  const auto inside = [](std::int64_t value, const std::optional<std::int64_t>& min,
                         const std::optional<std::int64_t>& max) {
    return (!min || value >= *min) && (!max || value <= *max);
  };
  std::vector<std::uint32_t> kept;
  for (std::uint32_t row = 0; row < batch.rows; ++row)
    if (inside((*batch.window_start)[row], lookup.window_start_min, lookup.window_start_max) &&
        inside((*batch.window_end)[row], lookup.window_end_min, lookup.window_end_max))
      kept.push_back(row);
  if (kept.size() == batch.rows) return std::move(batch);
  return gather(batch, kept);
}

Batch PullReader::apply(Step& step, Batch&& batch) {
  RowErrors errors;
  if (step.filter) {
    std::vector<std::uint32_t> kept;
    step.filter->select(batch, errors, kept);
    return kept.size() == batch.rows ? std::move(batch) : gather(batch, kept);
  }
  std::vector<ColumnPtr> columns;
  for (Evaluator& item : step.project) columns.push_back(item.evaluate(batch, errors));
  batch.columns = std::move(columns);
  return std::move(batch);
}

PullReaders::PullReaders() = default;
PullReaders::~PullReaders() = default;

std::unique_ptr<PullReader> PullReaders::take(const PhysicalPlan& plan) {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  return std::make_unique<PullReader>(plan);
}

void PullReaders::give_back(std::unique_ptr<PullReader> reader) {
  const MutexLock lock(mutex_);
  if (idle_.size() < kIdleReaders) idle_.push_back(std::move(reader));
}

}  // namespace millrace::inline exec
