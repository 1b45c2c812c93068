#include "exec/runtime/column_scan.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/indexed_rows.h"
#include "exec/runtime/pull_step.h"
#include "exec/runtime/table_reader.h"

/// What this process answers to others of its service: from its own slots only.
namespace millrace::inline exec {
namespace {

constexpr std::size_t kEntriesPerPage = 1024;

/// The way to the partitions of a range.
class RangeHere {
 public:
  RangeHere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::size_t subtopology, TableRange range)
      : engine_(engine), run_(std::move(run)), subtopology_(subtopology), range_(std::move(range)) {}

  const TableRange& range() const { return range_; }
  EngineImpl& engine() const { return engine_; }
  const QueryRun& run() const { return *run_; }
  /// Runs `read` with the task of the partition, or with a copy of it where that will do.
  Status visit(int partition, const std::function<Status(Task&)>& read) {
    Worker* worker = engine_.worker_of(*run_, subtopology_, partition);
    Status outcome;
    const auto with = [&](Task& task) { outcome = read(task); };
    const bool here = worker != nullptr && worker->visit_task(*run_, subtopology_, partition, with);
    if (here && engine_.is_current()) return outcome;
    StandbyCopies* copies = range_.max_lag ? engine_.standbys() : nullptr;
    if (copies != nullptr && copies->visit(run_->plan->query_id, subtopology_, partition, *range_.max_lag, with) ==
                                 StandbyCopies::Visited::yes)
      return outcome;
    return run_->not_ready_partition(partition, engine_.options().advertised);
  }

 private:
  EngineImpl& engine_;
  std::shared_ptr<QueryRun> run_;
  std::size_t subtopology_;
  TableRange range_;
};

/// The partitions of a range, each as it is when it is come to.
class PagesHere final : public TablePages {
 public:
  PagesHere(RangeHere range, std::shared_ptr<const TableReader> reader)
      : range_(std::move(range)), reader_(std::move(reader)) {}

  Result<Page> next() override {
    if (scan_ == nullptr)
      if (Status begun = begin(); !begun) return begun.error();
    Page page;
    auto more = scan_->next(kEntriesPerPage, page.entries);
    if (!more) return more.error();
    page.last = !*more;
    if (page.last) {
      scan_.reset();
      ++at_;
    }
    return page;
  }

 private:
  Status begin() {
    return range_.visit(range_.range().partitions.at(at_), [&](Task& task) -> Status {
      auto scan = reader_->snapshot(task, {range_.range().from, range_.range().to});
      if (!scan) return scan.error();
      scan_ = std::move(*scan);
      return {};
    });
  }

  RangeHere range_;
  const std::shared_ptr<const TableReader> reader_;
  std::size_t at_ = 0;  // of the partitions
  std::unique_ptr<StoreScan> scan_;
};

/// What a part of a pull query makes of the partitions.
class WorkHere final : public TablePages {
 public:
  WorkHere(RangeHere range, std::unique_ptr<TableReader> reader, std::unique_ptr<PullStep> step)
      : range_(std::move(range)), reader_(std::move(reader)), step_(std::move(step)) {
    if (!step_->scan().index.empty()) by_index_ = index_ranges(step_->scan(), {});
    for (const WindowLimit& limit : step_->scan().limits)
      windows_.limit(limit, limit.value->as<LiteralExpr>()->value.as<std::int64_t>());
  }

  Result<Page> next() override {
    Page page;
    while (!finished_ && page.entries.size() < kEntriesPerPage)
      if (Status worked = work(page.entries); !worked) return worked.error();
    page.last = finished_ && page.entries.empty();
    return page;
  }

 private:
  Status work(TableEntries& out) {
    if (at_ == range_.range().partitions.size() || step_->reached()) {
      finished_ = true;
      return give(step_->finish(), out);
    }
    if (columns_ == nullptr && scan_ == nullptr)
      if (Status begun = begin(); !begun) return begun;
    auto rows = columns_ != nullptr ? columns_->next(*reader_, windows_) : next_entries();
    if (!rows) return rows.error();
    if (*rows) return (**rows).rows == 0 ? Status{} : give(step_->apply(**rows), out);
    columns_.reset();
    scan_.reset();
    ++at_;
    return {};
  }

  Status begin() {
    const int partition = range_.range().partitions.at(at_);
    const bool whole = range_.range().from.empty() && range_.range().to.empty();
    return range_.visit(partition, [&](Task& task) -> Status {
      if (!by_index_.empty()) {
        auto found = scan_index(task, step_->scan().index, by_index_);
        if (!found) return found.error();
        scan_ = std::move(*found);
        if (scan_ != nullptr) return {};
      }
      if (whole && step_->any_order()) {
        auto columns = ColumnScan::begin(*reader_, step_->scan().rows, task, range_.engine().images(), partition);
        if (!columns) return columns.error();
        columns_ = std::move(*columns);
        return {};
      }
      auto scan = reader_->snapshot(task, {range_.range().from, range_.range().to});
      if (!scan) return scan.error();
      scan_ = std::move(*scan);
      return {};
    });
  }

  Result<std::optional<Batch>> next_entries() {
    if (std::exchange(ended_, false)) return std::optional<Batch>();
    TableEntries entries;
    auto more = scan_->next(kEntriesPerPage, entries);
    if (!more) return more.error();
    ended_ = !*more;
    if (entries.empty()) return std::optional(Batch{});
    auto rows = reader_->rows(entries, windows_);
    if (!rows) return rows.error();
    return std::optional(std::move(*rows));
  }

  Status give(Result<std::vector<Batch>*> made, TableEntries& out) {
    if (!made) return made.error();
    for (const Batch& rows : **made)
      if (Status encoded = step_->encode(rows, out); !encoded) return encoded;
    return {};
  }

  RangeHere range_;
  const std::unique_ptr<TableReader> reader_;
  const std::unique_ptr<PullStep> step_;
  WindowRange windows_;
  std::vector<IndexedRows::Range> by_index_;
  std::size_t at_ = 0;  // of the partitions
  std::unique_ptr<ColumnScan> columns_;
  std::unique_ptr<StoreScan> scan_;
  bool ended_ = false;     // the scan has given all
  bool finished_ = false;  // so has the step
};

}  // namespace

Result<EngineImpl::TableHere> EngineImpl::table_here(const std::string& query, std::uint64_t plan) {
  auto run = find(query);
  if (!run) return unavailable_error("the query {} does not run at {}", query, options_.advertised);
  if (!run->plan->materialization || mark_of(*run) != plan)
    return unavailable_error("{} has another plan of the query {}", options_.advertised, query);
  {
    const MutexLock lock(readers_mutex_);
    const auto known = readers_.find(query);
    if (known != readers_.end() && &known->second->keeper() == run->plan.get()) return TableHere{run, known->second};
  }
  auto made = TableReader::make(run->plan);
  if (!made) return made.error();
  std::shared_ptr<const TableReader> reader = std::move(*made);
  const MutexLock lock(readers_mutex_);
  readers_[query] = reader;
  return TableHere{std::move(run), std::move(reader)};
}

void EngineImpl::look_up_here(TableKey key, TableFound found) {
  auto table = table_here(key.query, key.plan);
  if (!table) return found(table.error());
  const std::size_t subtopology = table->reader->subtopology();
  const int partition = key.partition;
  const std::shared_ptr<QueryRun> run = table->run;
  if (partition < 0 || partition >= run->layout.subtopologies[subtopology].tasks)
    return found(unavailable_error("{} has no partition {} at {}", key.query, partition, options_.advertised));
  Worker* worker = worker_of(*run, subtopology, partition);
  if (worker == nullptr) return look_up_copy(*table, key, found);
  worker->visit_soon({run, subtopology, partition,
                      [this, run, reader = table->reader, key = std::move(key), found = std::move(found)](Task* task) {
                        if (task == nullptr) return found(run->not_ready_partition(key.partition, options_.advertised));
                        TableEntries entries;
                        if (Status read = reader->look_up(*task, key.key, key.windows, entries); !read)
                          return found(read.error());
                        if (!is_current()) return found(run->not_ready_partition(key.partition, options_.advertised));
                        found(std::move(entries));
                      }});
}

/// From the copy of what another process owns, where that will do.
void EngineImpl::look_up_copy(const TableHere& table, const TableKey& key, const TableFound& found) {
  TableEntries entries;
  Status read;
  const auto visit = [&](Task& task) { read = table.reader->look_up(task, key.key, key.windows, entries); };
  const bool good = key.max_lag && standbys_ &&
                    standbys_->visit(key.query, table.reader->subtopology(), key.partition, *key.max_lag, visit) ==
                        StandbyCopies::Visited::yes;
  if (!good) return found(table.run->not_ready_partition(key.partition, options_.advertised));
  if (!read) return found(read.error());
  found(std::move(entries));
}

Result<std::unique_ptr<TablePages>> EngineImpl::scan_here(TableRange range) {
  auto table = table_here(range.query, range.plan);
  if (!table) return table.error();
  const int tasks = table->run->layout.subtopologies[table->reader->subtopology()].tasks;
  for (const int partition : range.partitions)
    if (partition < 0 || partition >= tasks)
      return unavailable_error("{} has no partition {} at {}", range.query, partition, options_.advertised);
  const std::size_t subtopology = table->reader->subtopology();
  const std::string work = std::move(range.work);
  RangeHere here(*this, std::move(table->run), subtopology, std::move(range));
  if (work.empty())
    return std::unique_ptr<TablePages>(std::make_unique<PagesHere>(std::move(here), std::move(table->reader)));
  auto step = PullStep::read(work);
  if (!step) return step.error();
  auto reader = TableReader::make(here.run().plan, &(*step)->scan().rows);
  if (!reader) return reader.error();
  return std::unique_ptr<TablePages>(std::make_unique<WorkHere>(std::move(here), std::move(*reader), std::move(*step)));
}

}  // namespace millrace::inline exec
