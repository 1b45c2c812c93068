#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <set>

#include "exec/runtime/column_scan.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/indexed_rows.h"
#include "exec/runtime/limited_rows.h"
#include "exec/runtime/prepared_pull.h"
#include "exec/runtime/pull_elsewhere.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kRowsPerBatch = 1024;

Value value_of(const ExprPtr& expr, const std::vector<Value>& values) {
  const auto* parameter = expr->as<ParameterExpr>();
  return parameter != nullptr ? values.at(parameter->index) : expr->as<LiteralExpr>()->value;
}

WindowRange range_of(const std::vector<WindowLimit>& limits, const std::vector<Value>& values) {
  WindowRange range;
  for (const WindowLimit& limit : limits) range.limit(limit, value_of(limit.value, values).as<std::int64_t>());
  return range;
}

}  // namespace

/// The rows of a pull query. Each look-up, and each partition of a scan, visits the worker that has the partition, or
/// asks the process that does; rows are decoded and go through the plan outside of the workers' gates.
class PullRows final : public TableRows, public std::enable_shared_from_this<PullRows> {
 public:
  PullRows(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::shared_ptr<PreparedPull> pull,
           std::unique_ptr<PullInstance> instance, const std::vector<Value>& values)
      : engine_(engine), run_(std::move(run)), pull_(std::move(pull)), instance_(std::move(instance)) {
    if (const KeyLookupNode* node = pull_->keys())
      open_lookups(*node, values);
    else
      open_scan(*pull_->scan(), values);
  }
  /// Rows of other processes are worked on there, where that makes them fewer.
  Status split_up(const std::vector<Value>& values) {
    if (!pull_->splits() || !engine_.has_others() || pull_->allowed_lag()) return {};
    for (int p = 0; p < partitions(); ++p)
      if (engine_.worker_of(*run_, reader().subtopology(), p) == nullptr) return pull_->split(*instance_, values);
    return {};
  }
  ~PullRows() override {
    reading_ = {};
    pull_->give_back(std::move(instance_));
  }

  /// Asks for all keys. True: all is there. Else `later` is called, perhaps before the return.
  bool ask(std::function<void()> later) { return ask_from(0, std::move(later)); }

  const QueryRun& run() const { return *run_; }
  /// Finds out which workers have the partitions of the scan, or of each key.
  Status find_workers() {
    for (int p = 0; pull_->scan() != nullptr && p < partitions(); ++p)
      workers_.push_back(engine_.worker_of(*run_, reader().subtopology(), p));
    for (Lookup& lookup : lookups_) {
      if (Status placed = place(lookup); !placed) return placed;
      workers_.push_back(engine_.worker_of(*run_, reader().subtopology(), lookup.partition));
    }
    return {};
  }
  /// Takes what they have, with all workers of the process entered. Who has come since is visited in turn.
  Status take_snapshots() {
    for (std::size_t i = 0; i < lookups_.size(); ++i) {
      Lookup& lookup = lookups_[i];
      Status outcome;
      if (workers_[i] != nullptr)
        lookup.asked = workers_[i]->visit_entered(*run_, reader().subtopology(), lookup.partition,
                                                  [&](Task& task) { outcome = look_up(lookup, task); });
      if (!outcome) return outcome;
    }
    for (std::size_t p = 0; pull_->scan() != nullptr && p < workers_.size(); ++p) {
      Status outcome;
      if (workers_[p] != nullptr)
        workers_[p]->visit_entered(*run_, reader().subtopology(), static_cast<int>(p), [&](Task& task) {
          outcome = begin_scan(task, static_cast<int>(p), taken_[static_cast<int>(p)]);
        });
      if (!outcome) return outcome;
    }
    return {};
  }

  Result<std::optional<Batch>> next() override {
    while (true) {
      if (ready_at_ < ready_.size()) {
        if (auto batch = take_limited(instance_->limit, std::move(ready_[ready_at_++]))) return batch;
        continue;
      }
      if (instance_->limit.reached()) return std::optional<Batch>();
      Batch rows;
      auto more = pull_->keys() != nullptr ? take_found(rows) : take_scanned(rows);
      if (!more) return more.error();
      if (!*more) {
        if (std::exchange(finished_, true)) return std::optional<Batch>();
        if (Status last = take(instance_->pipeline->finish()); !last) return last.error();
        continue;
      }
      if (rows.rows == 0) continue;
      if (instance_->below != nullptr && !from_elsewhere_) {
        if (Status run = work_below(instance_->below->apply(rows)); !run) return run.error();
      } else {
        if (Status run = take(instance_->pipeline->apply(rows)); !run) return run.error();
      }
    }
  }

 private:
  struct Lookup {
    std::vector<Value> key;
    WindowRange windows;
    bool asked = false;
    int partition = 0;
    TableReader::Entries entries;
    std::optional<Error> failure;
  };

  TableReader& reader() { return *instance_->reader; }
  int partitions() const { return run_->layout.subtopologies[instance_->reader->subtopology()].tasks; }

  /// The same key twice is one look-up over the windows of both, so that no row is found twice; the predicate decides.
  void open_lookups(const KeyLookupNode& node, const std::vector<Value>& values) {
    // Who writes the topic of a kept table may have ways of their own to place keys.
    const int places = run_->keeper != nullptr ? partitions() : 1;
    lookups_.reserve(node.keys.size() * static_cast<std::size_t>(places));
    for (const KeyAccess& access : node.keys) {
      Lookup next;
      next.key.reserve(access.key.size());
      for (const ExprPtr& part : access.key) next.key.push_back(value_of(part, values));
      next.windows = range_of(access.limits, values);
      auto same = std::ranges::find(lookups_, next.key, &Lookup::key);
      if (same == lookups_.end()) {
        for (; next.partition + 1 < places; ++next.partition) lookups_.push_back(next);
        lookups_.push_back(std::move(next));
        continue;
      }
      for (int place = 0; place < places; ++place, ++same) same->windows.include(next.windows);
    }
  }

  void open_scan(const StoreScanNode& node, const std::vector<Value>& values) {
    windows_ = range_of(node.limits, values);
    if (!node.index.empty()) {
      by_index_ = index_ranges(node, values);
      return;  // where there is no such index any more, all rows are read
    }
    if (!node.from.empty()) from_ = value_of(node.from.front(), values);
    if (!node.to.empty()) to_ = value_of(node.to.front(), values);
  }

  /// Asks for the keys from this one on.
  bool ask_from(std::size_t first, std::function<void()> later) {
    later_ = std::move(later);
    left_ = 1;
    for (std::size_t i = first; i < lookups_.size(); ++i) ask(i);
    return left_.fetch_sub(1) == 1;  // its own part, taken at the start
  }

  void ask(std::size_t i) {
    Lookup& lookup = lookups_[i];
    lookup.asked = true;
    ++left_;
    if (Status placed = place(lookup); !placed) return answered(lookup, placed.error());
    Worker* worker = engine_.worker_of(*run_, reader().subtopology(), lookup.partition);
    if (worker == nullptr) return visited(lookup, nullptr);
    worker->visit_soon({run_, reader().subtopology(), lookup.partition,
                        [self = shared_from_this(), i](Task* task) { self->visited(self->lookups_[i], task); }});
  }

  Status place(Lookup& lookup) {
    if (run_->keeper != nullptr) return {};
    auto partition = reader().partition_of(lookup.key, partitions());
    if (!partition) return partition.error();
    lookup.partition = *partition;
    return {};
  }

  void visited(Lookup& lookup, Task* task) {
    if (task != nullptr) {
      Status read = look_up(lookup, *task);
      if (read && !is_current()) read = not_ready(lookup.partition);
      return answered(lookup, read);
    }
    if (!has_others()) return answered(lookup, not_ready(lookup.partition));
    TableKey key{run_->plan->query_id, engine_.mark_of(*run_), lookup.partition, reader().key_bytes(lookup.key),
                 lookup.windows};
    const auto found = [self = shared_from_this(), &lookup](Result<TableEntries> entries) {
      if (!entries) return self->answered(lookup, entries.error());
      lookup.entries = std::move(*entries);
      self->answered(lookup, {});
    };
    engine_.look_up_elsewhere(std::make_shared<EngineImpl::KeyElsewhere>(
        EngineImpl::KeyElsewhere{run_, reader().subtopology(), std::move(key), found, pull_->allowed_lag()}));
  }

  void answered(Lookup& lookup, const Status& outcome) {
    if (!outcome) lookup.failure = outcome.error();
    if (left_.fetch_sub(1) == 1) later_();
  }

  /// Kept tables are this process's, whoever has slots.
  bool has_others() const { return run_->keeper == nullptr && engine_.has_others(); }
  bool is_current() const { return run_->keeper != nullptr || engine_.is_current(); }
  Error not_ready(int partition) const { return run_->not_ready_partition(partition, engine_.options().advertised); }

  Status look_up(Lookup& lookup, Task& task) {
    return reader().look_up(task, reader().key_bytes(lookup.key), lookup.windows, lookup.entries);
  }

  /// Waits for the worker of a partition. False: it is not here, or not ready.
  Result<bool> visit(int partition, const std::function<Status(Task&)>& read) {
    Worker* worker = engine_.worker_of(*run_, reader().subtopology(), partition);
    Status outcome;
    const bool here = worker != nullptr && worker->visit_task(*run_, reader().subtopology(), partition,
                                                              [&](Task& task) { outcome = read(task); });
    if (here && !outcome) return outcome.error();
    if ((!here && !has_others()) || !is_current()) return not_ready(partition);
    return here;
  }

  /// The rows of the next key; false: that was the last.
  Result<bool> take_found(Batch& rows) {
    if (at_ == lookups_.size()) return false;
    Lookup& lookup = lookups_[at_];
    if (!lookup.asked) {
      if (Status placed = place(lookup); !placed) return placed.error();
      auto here = visit(lookup.partition, [&](Task& task) { return look_up(lookup, task); });
      if (!here) return here.error();
      if (!*here) wait_for_all_from(at_);
    }
    ++at_;
    if (lookup.failure) return *lookup.failure;
    return decode(lookup.entries, lookup.windows, rows);
  }

  /// Together, so that each process is asked once.
  void wait_for_all_from(std::size_t first) {
    const auto all = std::make_shared<std::promise<void>>();
    if (!ask_from(first, [all] { all->set_value(); })) all->get_future().wait();
  }

  /// The partition of a scan that is being read: by columns where the order of the rows does not matter.
  struct Reading {
    std::unique_ptr<ColumnScan> columns;
    std::unique_ptr<StoreScan> entries;
  };
  Status begin_scan(Task& task, int partition, Reading& reading) {
    if (!by_index_.empty()) {
      auto found = scan_index(task, pull_->scan()->index, by_index_);
      if (!found) return found.error();
      reading.entries = std::move(*found);
      if (reading.entries != nullptr) return {};
    }
    if (pull_->any_order() && !from_ && !to_) {
      auto columns = ColumnScan::begin(reader(), pull_->rows(), task, engine_.images(), partition);
      if (!columns) return columns.error();
      reading.columns = std::move(*columns);
      return {};
    }
    auto scan = reader().snapshot(task, reader().range(from_, to_));
    if (!scan) return scan.error();
    reading.entries = std::move(*scan);
    if (pull_->any_order()) reading.entries->any_order();
    return {};
  }

  /// Some rows of the scan's partition; goes on to the next partition, and after the last to what other processes
  /// have. False: that was all.
  Result<bool> take_scanned(Batch& rows) {
    if (partition_ >= partitions()) {
      if (instance_->below == nullptr || from_elsewhere_) return take_elsewhere(rows);
      from_elsewhere_ = true;
      if (Status last = work_below(instance_->below->finish()); !last) return last.error();
      return true;
    }
    if (const auto taken = taken_.find(partition_); taken != taken_.end()) {
      reading_ = std::move(taken->second);
      taken_.erase(taken);
    } else if (reading_.columns == nullptr && reading_.entries == nullptr) {
      auto here = visit(partition_, [&](Task& task) { return begin_scan(task, partition_, reading_); });
      if (!here) return here.error();
      if (!*here) {
        elsewhere_.push_back(partition_++);
        return true;
      }
    }
    auto more = reading_.columns != nullptr ? take_columns(rows) : take_entries(rows);
    if (!more) return more.error();
    if (!*more) {
      reading_ = {};
      ++partition_;
    }
    return true;
  }
  Result<bool> take_columns(Batch& rows) {
    auto next = reading_.columns->next(reader(), windows_);
    if (!next) return next.error();
    if (*next) rows = std::move(**next);
    return next->has_value();
  }
  Result<bool> take_entries(Batch& rows) {
    TableReader::Entries entries;
    auto more = reading_.entries->next(kRowsPerBatch, entries);
    if (!more) return more.error();
    if (auto read = decode(entries, windows_, rows); !read) return read.error();
    return *more;
  }

  /// True, once `rows` are those of the entries.
  Result<bool> decode(const TableReader::Entries& entries, const WindowRange& windows, Batch& rows) {
    if (entries.empty()) return true;
    auto read = reader().rows(entries, windows);
    if (!read) return read.error();
    rows = std::move(*read);
    return true;
  }

  Result<bool> take_elsewhere(Batch& rows) {
    if (elsewhere_.empty()) return false;
    if (scan_elsewhere_ == nullptr) {
      TableReader::Range keys = reader().range(from_, to_);
      TableRange range{run_->plan->query_id, engine_.mark_of(*run_), elsewhere_, std::move(keys.from),
                       std::move(keys.to)};
      if (instance_->below != nullptr) range.work = instance_->below->text();
      scan_elsewhere_ = std::make_unique<ScanElsewhere>(engine_, run_, reader().subtopology(), std::move(range),
                                                        pull_->limit().has_value(), pull_->allowed_lag());
    }
    TableReader::Entries entries;
    auto more = scan_elsewhere_->next(entries);
    if (!more || !*more) return more;
    if (instance_->below == nullptr) return decode(entries, windows_, rows);
    if (entries.empty()) return true;
    auto read = instance_->below->decode(entries);
    if (!read) return read.error();
    rows = std::move(*read);
    return true;
  }

  /// What the step below gives goes through the rest of the plan.
  Status work_below(Result<std::vector<Batch>*> made) {
    if (!made) return made.error();
    std::vector<Batch> given;
    for (const Batch& rows : **made) {
      auto above = instance_->pipeline->apply(rows);
      if (!above) return above.error();
      std::ranges::move(**above, std::back_inserter(given));
    }
    ready_ = std::move(given);
    ready_at_ = 0;
    return {};
  }

  Status take(Result<std::vector<Batch>*> made) {
    if (!made) return made.error();
    ready_.swap(**made);
    ready_at_ = 0;
    return {};
  }

  EngineImpl& engine_;
  const std::shared_ptr<QueryRun> run_;
  const std::shared_ptr<PreparedPull> pull_;
  std::unique_ptr<PullInstance> instance_;

  std::vector<Lookup> lookups_;
  std::size_t at_ = 0;  // of them
  std::atomic<std::size_t> left_{1};
  std::function<void()> later_;

  std::optional<Value> from_, to_;
  std::vector<IndexedRows::Range> by_index_;
  WindowRange windows_;           // of the scan
  std::vector<Worker*> workers_;  // that had the partitions when all were entered
  std::map<int, Reading> taken_;  // of partitions, at that instant
  Reading reading_;
  int partition_ = 0;
  std::vector<int> elsewhere_;  // partitions that are not here
  std::unique_ptr<ScanElsewhere> scan_elsewhere_;
  bool from_elsewhere_ = false;  // what comes now has been worked on where it was
  bool finished_ = false;        // the plan has heard that there are no more rows

  std::vector<Batch> ready_;  // have gone through the plan
  std::size_t ready_at_ = 0;
};

namespace {

/// Nothing but the reason why there is nothing.
class NoRows final : public TableRows {
 public:
  explicit NoRows(Error why) : why_(std::move(why)) {}
  Result<std::optional<Batch>> next() override { return why_; }

 private:
  Error why_;
};

Result<std::shared_ptr<PullRows>> open_rows(EngineImpl& engine, const std::shared_ptr<PreparedPull>& pull,
                                            const std::vector<Value>& values) {
  auto run = engine.find(pull->keeper());
  if (!run) return external_error("the query {} does not run here", pull->keeper());
  if (!run->plan->materialization)
    return user_error("the result of {} is not a table that can be asked", pull->keeper());
  auto instance = pull->take(run->plan, values);
  if (!instance) return instance.error();
  auto rows = std::make_shared<PullRows>(engine, std::move(run), pull, std::move(*instance), values);
  if (Status split = rows->split_up(values); !split) return split.error();
  return rows;
}

}  // namespace

Result<std::shared_ptr<TableRows>> EngineImpl::read_table(const std::shared_ptr<PreparedPull>& pull,
                                                          const std::vector<Value>& values) {
  auto rows = open_rows(*this, pull, values);
  if (!rows) return rows.error();
  return std::shared_ptr<TableRows>(std::move(*rows));
}

Result<std::vector<std::shared_ptr<TableRows>>> EngineImpl::read_tables(
    std::span<const std::shared_ptr<PreparedPull>> pulls) {
  std::vector<std::shared_ptr<PullRows>> all;
  std::set<int> groups;
  std::set<Worker*> keepers;
  for (const auto& pull : pulls) {
    auto rows = open_rows(*this, pull, {});
    if (!rows) return rows.error();
    if (Status placed = (*rows)->find_workers(); !placed) return placed.error();
    if (Worker* keeper = (*rows)->run().keeper)
      keepers.insert(keeper);
    else
      groups.insert((*rows)->run().group);
    all.push_back(std::move(*rows));
  }
  Status taken;
  {
    const MutexLock lock(entering_);
    std::vector<Worker*> workers(keepers.begin(), keepers.end());
    for (const int group : groups)
      for (Worker* worker : workers_.of(group)) workers.push_back(worker);
    for (Worker* worker : workers) worker->enter();
    for (const auto& rows : all)
      if (taken) taken = rows->take_snapshots();
    for (Worker* worker : workers) worker->leave();
  }
  if (!taken) return taken.error();
  return std::vector<std::shared_ptr<TableRows>>(all.begin(), all.end());
}

std::shared_ptr<TableRows> EngineImpl::look_up(const std::shared_ptr<PreparedPull>& pull,
                                               const std::vector<Value>& values,
                                               std::function<void(std::shared_ptr<TableRows>)> later) {
  auto opened = open_rows(*this, pull, values);
  if (!opened) return std::make_shared<NoRows>(opened.error());
  const std::shared_ptr<PullRows> rows = std::move(*opened);
  const bool here = rows->ask([weak = std::weak_ptr(rows), later = std::move(later)] {
    if (auto self = weak.lock()) later(std::move(self));
  });
  return here ? rows : nullptr;
}

Status pull_all(TableRows& rows, const std::function<bool(const Batch&)>& visit) {
  while (true) {
    auto batch = rows.next();
    if (!batch) return batch.error();
    if (!*batch || !visit(**batch)) return {};
  }
}

}  // namespace millrace::inline exec
