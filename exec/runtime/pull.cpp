#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>

#include "exec/runtime/engine_impl.h"
#include "exec/runtime/prepared_pull.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kRowsPerBatch = 1024;

Store* store_of(Task& task, const std::string& name) {
  for (auto& entry : task.stores())
    if (entry.plan->name == name) return entry.store.get();
  return nullptr;
}

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

/// The rows of a pull query. Each look-up, and each partition of a scan, visits the worker that has the partition;
/// rows are decoded and go through the plan outside of the workers' gates.
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
  ~PullRows() override {
    scan_.reset();
    pull_->give_back(std::move(instance_));
  }

  /// Asks for all keys. True: all is there. Else `later` is called, perhaps before the return.
  bool ask(std::function<void()> later) {
    later_ = std::move(later);
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (!ask(i)) answered(lookups_[i], nullptr);
    return left_.fetch_sub(1) == 1;  // its own part, taken at the start
  }

  Result<std::optional<Batch>> next() override {
    while (true) {
      if (ready_at_ < ready_.size()) {
        if (auto batch = limited(std::move(ready_[ready_at_++]))) return batch;
        continue;
      }
      if (instance_->limit.reached()) return std::optional<Batch>();
      TableReader::Entries entries;
      const WindowRange* windows = &windows_;
      auto more = pull_->keys() != nullptr ? take_found(entries, windows) : take_scanned(entries);
      if (!more) return more.error();
      if (!*more) return std::optional<Batch>();
      if (entries.empty()) continue;
      if (Status run = run_plan(entries, *windows); !run) return run.error();
    }
  }

 private:
  struct Lookup {
    std::vector<Value> key;
    WindowRange windows;
    bool asked = false;
    TableReader::Entries entries;
    std::optional<Error> failure;
  };

  TableReader& reader() { return *instance_->reader; }
  int partitions() const { return run_->layout.subtopologies[instance_->reader->subtopology()].tasks; }

  /// The same key twice is one look-up over the windows of both, so that no row is found twice; the predicate decides.
  void open_lookups(const KeyLookupNode& node, const std::vector<Value>& values) {
    lookups_.reserve(node.keys.size());
    for (const KeyAccess& access : node.keys) {
      Lookup next;
      next.key.reserve(access.key.size());
      for (const ExprPtr& part : access.key) next.key.push_back(value_of(part, values));
      next.windows = range_of(access.limits, values);
      const auto same = std::ranges::find(lookups_, next.key, &Lookup::key);
      if (same == lookups_.end())
        lookups_.push_back(std::move(next));
      else
        same->windows.include(next.windows);
    }
  }

  void open_scan(const StoreScanNode& node, const std::vector<Value>& values) {
    windows_ = range_of(node.limits, values);
    if (!node.from.empty()) from_ = value_of(node.from.front(), values);
    if (!node.to.empty()) to_ = value_of(node.to.front(), values);
  }

  bool ask(std::size_t i) {
    Lookup& lookup = lookups_[i];
    lookup.asked = true;
    auto partition = reader().partition_of(lookup.key, partitions());
    if (!partition) {
      lookup.failure = partition.error();
      return true;
    }
    Worker* worker = engine_.worker_of(*run_, reader().subtopology(), *partition);
    ++left_;
    if (worker == nullptr) return false;
    worker->visit_soon({run_, reader().subtopology(), *partition,
                        [self = shared_from_this(), i](Task* task) { self->answered(self->lookups_[i], task); }});
    return true;
  }

  void answered(Lookup& lookup, Task* task) {
    if (task == nullptr) {
      lookup.failure = run_->not_ready("the table " + run_->plan->query_id);
    } else if (Status read = look_up(lookup, *task); !read) {
      lookup.failure = read.error();
    }
    if (left_.fetch_sub(1) == 1) later_();
  }

  Status look_up(Lookup& lookup, Task& task) {
    Store* store = store_of(task, reader().store());
    if (store == nullptr) return Error{Fault::bug, "the store of the table is missing"};
    return reader().look_up(*store, lookup.key, lookup.windows, lookup.entries);
  }

  /// Waits for the worker of a partition.
  Status visit(int partition, const std::function<Status(Task&)>& read) {
    Worker* worker = engine_.worker_of(*run_, reader().subtopology(), partition);
    Status outcome;
    const bool here = worker != nullptr && worker->visit_task(*run_, reader().subtopology(), partition,
                                                              [&](Task& task) { outcome = read(task); });
    if (!here) return run_->not_ready(fmt::format("partition {} of {}", partition, run_->plan->query_id));
    return outcome;
  }

  /// The entries of the next key; false: that was the last.
  Result<bool> take_found(TableReader::Entries& entries, const WindowRange*& windows) {
    if (at_ == lookups_.size()) return false;
    Lookup& lookup = lookups_[at_++];
    if (!lookup.asked) {
      auto partition = reader().partition_of(lookup.key, partitions());
      if (!partition) return partition.error();
      Status done = visit(*partition, [&](Task& task) { return look_up(lookup, task); });
      if (!done) return done.error();
    }
    if (lookup.failure) return *lookup.failure;
    entries = std::move(lookup.entries);
    windows = &lookup.windows;
    return true;
  }

  /// Some entries of the scan's partition; goes on to the next partition. False: that was the last.
  Result<bool> take_scanned(TableReader::Entries& entries) {
    if (partition_ >= partitions()) return false;
    if (scan_ == nullptr) {
      Status begun = visit(partition_, [&](Task& task) -> Status {
        Store* store = store_of(task, reader().store());
        if (store == nullptr) return Error{Fault::bug, "the store of the table is missing"};
        auto scan = reader().scan(*store, from_, to_);
        if (!scan) return scan.error();
        scan_ = std::move(*scan);
        return {};
      });
      if (!begun) return begun.error();
    }
    auto more = scan_->next(kRowsPerBatch, entries);
    if (!more) return more.error();
    if (!*more) {
      scan_.reset();
      ++partition_;
    }
    return true;
  }

  Status run_plan(const TableReader::Entries& entries, const WindowRange& windows) {
    auto rows = reader().rows(entries, windows);
    if (!rows) return rows.error();
    if (rows->rows == 0) return {};
    auto made = instance_->pipeline->apply(*rows);
    if (!made) return made.error();
    ready_.swap(**made);
    ready_at_ = 0;
    return {};
  }

  /// What the limit leaves of a batch; absent: nothing.
  std::optional<Batch> limited(Batch&& batch) {
    const std::size_t kept = instance_->limit.of(batch.rows);
    instance_->limit.count(kept);
    if (kept == 0) return std::nullopt;
    if (kept == batch.rows) return std::move(batch);
    std::vector<std::uint32_t> first(kept);
    std::iota(first.begin(), first.end(), 0U);
    return gather(batch, first);
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
  WindowRange windows_;  // of the scan
  std::unique_ptr<StoreScan> scan_;
  int partition_ = 0;

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
  return std::make_shared<PullRows>(engine, std::move(run), pull, std::move(*instance), values);
}

}  // namespace

Result<std::shared_ptr<TableRows>> EngineImpl::read_table(const std::shared_ptr<PreparedPull>& pull,
                                                          const std::vector<Value>& values) {
  auto rows = open_rows(*this, pull, values);
  if (!rows) return rows.error();
  return std::shared_ptr<TableRows>(std::move(*rows));
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
