#include "exec/runtime/table_reader.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "exec/data/equal.h"
#include "exec/formats/format.h"
#include "exec/runtime/layout.h"
#include "exec/runtime/task.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kWindowTail = 17;  // more than any window adds to a key

using Columns = std::vector<bool>;  // by position: is it wanted?

/// Columns that are to be in what goes into each of the nodes above the store, so that the last one gives `wanted`; and
/// behind them `wanted` itself.
std::vector<Columns> columns_below(const Materialization& table, Columns wanted) {
  std::vector<Columns> columns{std::move(wanted)};
  for (std::size_t i = table.above.size(); i-- > 0;) {
    const PlanNode& above = *table.above[i];
    const std::size_t size = i == 0 ? table.store_schema.size() : table.above[i - 1]->schema.size();
    Columns below(size);
    if (const auto* filter = above.as<FilterNode>()) {
      below = columns.back();
      collect_columns(*filter->predicate, below);
    } else {
      const auto& items = above.as<ProjectNode>()->items;
      for (std::size_t item = 0; item < items.size(); ++item)
        if (columns.back()[item]) collect_columns(*items[item].expr, below);
    }
    columns.push_back(std::move(below));
  }
  std::ranges::reverse(columns);
  return columns;
}

/// What a table's query does to the rows of its store, as a plan of its own. `columns`: as columns_below gives them.
std::shared_ptr<const PhysicalPlan> plan_above(const PhysicalPlan& keeper, const std::vector<Columns>& columns) {
  const Materialization& table = *keeper.materialization;
  NodePtr node = make_node(
      StoreScanNode{.table = {}, .query = keeper.query_id, .rows = table.store_schema, .window_of_rows = table.window});
  for (std::size_t i = 0; i < table.above.size(); ++i) {
    if (const auto* filter = table.above[i]->as<FilterNode>()) {
      node = make_node(FilterNode{.input = std::move(node), .predicate = filter->predicate});
      continue;
    }
    std::vector<ProjectItem> items = table.above[i]->as<ProjectNode>()->items;
    for (std::size_t item = 0; item < items.size(); ++item)
      if (!columns[i + 1][item]) items[item].expr = make_literal(Value(), items[item].expr->type);
    node = make_node(ProjectNode{.input = std::move(node), .items = std::move(items)});
  }
  return std::make_shared<PhysicalPlan>(
      make_physical(make_node(OutputNode{.input = std::move(node), .limit = {}}), keeper.options,
                    {.service_id = {}, .query_id = keeper.query_id, .transient = true}));
}

/// A part of its rows' key is where they stand in their group.
bool numbers_rows(const PlanNode& node) {
  const auto* top = node.as<TopRowsNode>();
  const auto* closed = node.as<CloseRanksNode>();
  return (top != nullptr && top->numbered()) || (closed != nullptr && closed->numbered());
}

/// The columns of a relation's key, by position, that decide in which partition its rows are kept, in the order in
/// which they were moved there. Numbered rows are where their group is.
std::vector<std::size_t> placing_columns(const PlanNode& kept) {
  std::vector<std::size_t> all(kept.schema.key_count());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<std::size_t> below = all;
  for (const PlanNode* node = &kept; !inputs_of(*node).empty(); node = inputs_of(*node).front().get()) {
    if (const auto* project = node->as<ProjectNode>()) {
      for (std::size_t& column : below) {
        const auto* from = project->items[column].expr->as<ColumnExpr>();
        if (from == nullptr) return all;
        column = from->index;
      }
    } else if (numbers_rows(*node)) {
      const std::size_t groups = inputs_of(*node).front()->schema.key_count();
      std::vector<std::size_t> placing;
      for (std::size_t column = 1; column <= groups; ++column) {
        const auto at = std::find(below.begin(), below.end(), column);
        if (at != below.end()) placing.push_back(static_cast<std::size_t>(at - below.begin()));
      }
      return placing;
    } else if (node->as<FilterNode>() == nullptr && node->as<MaterializeNode>() == nullptr) {
      return all;
    }
  }
  return all;
}

}  // namespace

TableReader::TableReader(std::shared_ptr<const PhysicalPlan> keeper, const Schema* rows) : keeper_(std::move(keeper)) {
  const PhysicalPlan& plan = *keeper_;
  const Materialization& table = *plan.materialization;
  for (std::size_t i = 0; i < plan.subtopologies.size(); ++i)
    if (plan.subtopologies[i].id == table.subtopology) subtopology_ = i;
  const Subtopology& subtopology = plan.subtopologies[subtopology_];
  for (const StorePlan& store : subtopology.stores)
    if (store.name == table.store) store_ = &store;
  ensure(store_ != nullptr);
  window_ = table.window;
  placing_ = placing_columns(*store_->owner);
  const auto keys = table.store_schema.keys();
  for (const std::size_t at : placing_) placing_columns_.push_back(keys[at]);
  const auto* source = sources_of(*subtopology.root).front()->as<SourceNode>();
  key_format_ = source->key_format;
  moved_ = source->internal;
  std::vector<bool> wanted(plan.result.size(), rows == nullptr);
  if (rows != nullptr && rows->size() < plan.result.size()) {
    for (const ColumnDef& column : rows->columns) {
      given_.push_back(*plan.result.find(column.name));
      wanted[given_.back()] = true;
    }
  } else {
    wanted.assign(plan.result.size(), true);
  }
  columns_ = columns_below(table, std::move(wanted));
  reader_ = std::make_unique<StoreReader>(*store_->owner, columns_.front());
  // A table reads as its topic does.
  if (const auto* sink = plan.subtopologies.back().root->as<SinkNode>())
    defaults_ = ProtobufDefaults::make(sink->value_format, plan.result.columns);
}

Result<std::unique_ptr<TableReader>> TableReader::make(std::shared_ptr<const PhysicalPlan> keeper, const Schema* rows) {
  std::unique_ptr<TableReader> made(new TableReader(std::move(keeper), rows));
  if (made->keeper_->materialization->above.empty()) return made;
  auto above = RowPipeline::make(plan_above(*made->keeper_, made->columns_));
  if (!above) return above.error();
  made->above_ = std::move(*above);
  return made;
}

Result<int> TableReader::partition_of(std::span<const Value> key, int partitions) const {
  if (partitions == 1) return 0;   // nothing was moved there, so the source's key may be another one
  if (placing_.empty()) return 0;  // all rows are in one
  std::vector<Value> placing;
  for (const std::size_t at : placing_) {
    const double* number = moved_ ? key[at].get_if<double>() : nullptr;
    placing.push_back(number != nullptr ? Value(plain_double(*number)) : key[at]);
  }
  auto bytes = encode_row(key_format_, placing_columns_, placing, true);
  if (!bytes) return bytes.error();
  return *bytes ? partition_for(**bytes, partitions) : 0;
}

Result<Store*> TableReader::store_of(Task& task) const {
  if (Store* store = task.find_store(store_->name)) return store;
  return Error{Fault::bug, "the store of the table is missing"};
}

Result<std::unique_ptr<StoreScan>> TableReader::snapshot(Task& task, const Range& range) const {
  const auto store = store_of(task);
  if (!store) return store.error();
  return (*store)->snapshot(range.from, range.to);
}

Status TableReader::look_up(Task& task, const std::string& bytes, const WindowRange& windows, Entries& out) const {
  const auto found = store_of(task);
  if (!found) return found.error();
  Store& store = **found;
  const auto add = [&](std::string_view stored_key, std::string_view value) {
    out.emplace_back(stored_key, value);
    return true;
  };
  if (!window_) return store.get(bytes, add);
  if (window_->type == WindowType::session) return store.scan(bytes, bytes + std::string(kWindowTail, '\xff'), add);
  std::int64_t from = windows.start_min.value_or(0);
  std::int64_t to = windows.start_max.value_or(std::numeric_limits<std::int64_t>::max() / 2);
  const std::int64_t size = window_->size_ms.value_or(0);
  if (windows.end_min) from = std::max(from, *windows.end_min - size);
  if (windows.end_max) to = std::min(to, *windows.end_max - size);
  return store.get_windows(bytes, from, to, add);
}

TableReader::Range TableReader::range(const std::optional<Value>& from, const std::optional<Value>& to) const {
  Range range;
  if (from) range.from = reader_->key(std::span(&*from, 1));
  if (to) range.to = reader_->key(std::span(&*to, 1)) + std::string(kWindowTail, '\xff');
  return range;
}

Result<TableReader::Taken> TableReader::take(Task& task) const {
  const auto store = store_of(task);
  if (!store) return store.error();
  Taken taken{.version = (*store)->version(), .rows = {}, .rest = nullptr};
  auto rest = (*store)->snapshot_values(
      [&](std::span<const std::string_view> keys, std::span<const std::byte* const> values) -> Status {
        auto read = reader_->read(keys, values);
        if (!read) return read.error();
        taken.rows.push_back(std::move(*read));
        return {};
      });
  if (!rest) return rest.error();
  taken.rest = std::move(*rest);
  return taken;
}

std::uint64_t TableReader::version(Task& task) const {
  const auto store = store_of(task);
  return store ? (*store)->version() : 0;
}

void keep_windows(Batch& batch, const WindowRange& windows) {
  if (!batch.window_start || windows.is_open()) return;
  std::vector<std::uint32_t> kept;
  for (std::uint32_t row = 0; row < batch.rows; ++row)
    if (windows.holds((*batch.window_start)[row], (*batch.window_end)[row])) kept.push_back(row);
  if (kept.size() < batch.rows) batch = gather(batch, kept);
}

Result<Batch> TableReader::rows(const Entries& entries, const WindowRange& windows) {
  auto decoded = reader_->decode(entries);
  if (!decoded) return decoded.error();
  keep_windows(*decoded, windows);
  return result(std::move(*decoded));
}

Result<Batch> TableReader::result(Batch batch) {
  if (above_) {
    auto made = above_->apply(batch);
    if (!made) return made.error();
    // Row by row: one batch at most.
    batch = (*made)->empty() ? Batch{} : std::move((*made)->front());
  }
  if (defaults_ && batch.rows > 0) defaults_->apply(batch.columns);
  if (!given_.empty() && batch.rows > 0) {
    std::vector<ColumnPtr> given;
    for (const std::size_t column : given_) given.push_back(std::move(batch.columns[column]));
    batch.columns = std::move(given);
  }
  return batch;
}

}  // namespace millrace::inline exec
