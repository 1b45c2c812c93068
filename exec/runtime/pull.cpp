#include "exec/runtime/pull.h"

#include <algorithm>

#include "exec/runtime/engine_impl.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kRowsPerBatch = 1024;

Store* store_of(Task& task, const std::string& name) {
  for (auto& entry : task.stores())
    if (entry.plan->name == name) return entry.store.get();
  return nullptr;
}

}  // namespace

// Visits the tasks it needs one by one, reads and decodes outside of their workers' gates.
class PulledRows final : public TableRows {
 public:
  PulledRows(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::vector<PullLookup> lookups)
      : engine_(engine), run_(std::move(run)), lookups_(std::move(lookups)) {
    reader_ = run_->pull_readers.take(*run_->plan);
  }
  ~PulledRows() override {
    scan_.reset();
    run_->pull_readers.give_back(std::move(reader_));
  }

  Result<std::optional<Batch>> next() override {
    while (at_ < lookups_.size()) {
      const PullLookup& lookup = lookups_[at_];
      PullReader::Entries entries;
      if (Status taken = lookup.key.empty() ? take_scanned(lookup, entries) : look_up(lookup, entries); !taken)
        return taken.error();
      if (entries.empty()) continue;
      auto rows = reader_->rows(entries, lookup);
      if (!rows) return rows.error();
      if (rows->rows > 0) return std::optional(std::move(*rows));
    }
    return std::optional<Batch>();
  }

 private:
  int partitions() const { return run_->layout.subtopologies[reader_->subtopology()].tasks; }

  Status at(int partition, const std::function<Status(Store&)>& read) {
    Worker* worker = engine_.worker_of(*run_, reader_->subtopology(), partition);
    Status outcome;
    const bool here =
        worker != nullptr && worker->visit_task(*run_, reader_->subtopology(), partition, [&](Task& task) {
          Store* store = store_of(task, reader_->store());
          outcome = store != nullptr ? read(*store) : Status(Error{Fault::bug, "the store of the table is missing"});
        });
    if (!here) return run_->not_ready(fmt::format("partition {} of {}", partition, run_->plan->query_id));
    return outcome;
  }

  Status look_up(const PullLookup& lookup, PullReader::Entries& entries) {
    ++at_;
    auto partition = reader_->partition_of(lookup, partitions());
    if (!partition) return partition.error();
    return at(*partition, [&](Store& store) { return reader_->look_up(store, lookup, entries); });
  }

  /// Some entries of the scan's partition; goes on to the next partition, then to the next look-up.
  Status take_scanned(const PullLookup& lookup, PullReader::Entries& entries) {
    if (scan_ == nullptr) {
      Status begun = at(partition_, [&](Store& store) -> Status {
        auto scan = reader_->scan(store, lookup);
        if (!scan) return scan.error();
        scan_ = std::move(*scan);
        return {};
      });
      if (!begun) return begun;
    }
    auto more = scan_->next(kRowsPerBatch, entries);
    if (!more) return more.error();
    if (*more) return {};
    scan_.reset();
    if (++partition_ < partitions()) return {};
    partition_ = 0;
    ++at_;
    return {};
  }

  EngineImpl& engine_;
  const std::shared_ptr<QueryRun> run_;
  const std::vector<PullLookup> lookups_;
  std::unique_ptr<PullReader> reader_;
  std::unique_ptr<StoreScan> scan_;
  std::size_t at_ = 0;  // look-up
  int partition_ = 0;   // of the scan
};

// Look-ups of keys, each answered by the worker that has the key's partition.
class KeyLookups final : public FoundKeys, public std::enable_shared_from_this<KeyLookups> {
 public:
  KeyLookups(std::shared_ptr<QueryRun> run, std::vector<PullLookup> lookups)
      : run_(std::move(run)), lookups_(std::move(lookups)), found_(lookups_.size()) {
    reader_ = run_->pull_readers.take(*run_->plan);
  }
  ~KeyLookups() override { run_->pull_readers.give_back(std::move(reader_)); }

  /// True: all is there. Else `later` is called, perhaps before the return.
  bool ask(EngineImpl& engine, std::function<void()> later) {
    later_ = std::move(later);
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (!ask(engine, i)) answered(i, nullptr);
    return left_.fetch_sub(1) == 1;  // its own part, taken at the start
  }

  Status rows(const std::function<bool(const Batch&)>& visit) override {
    for (std::size_t i = 0; i < lookups_.size(); ++i) {
      if (found_[i].failure) return *found_[i].failure;
      if (found_[i].entries.empty()) continue;
      auto rows = reader_->rows(found_[i].entries, lookups_[i]);
      if (!rows) return rows.error();
      if (rows->rows > 0 && !visit(*rows)) break;
    }
    return {};
  }

 private:
  struct Answer {
    PullReader::Entries entries;
    std::optional<Error> failure;
  };

  bool ask(EngineImpl& engine, std::size_t i) {
    auto partition = reader_->partition_of(lookups_[i], run_->layout.subtopologies[reader_->subtopology()].tasks);
    if (!partition) {
      found_[i].failure = partition.error();
      return true;
    }
    Worker* worker = engine.worker_of(*run_, reader_->subtopology(), *partition);
    ++left_;
    if (worker == nullptr) return false;
    worker->visit_soon({run_, reader_->subtopology(), *partition,
                        [self = shared_from_this(), i](Task* task) { self->answered(i, task); }});
    return true;
  }

  void answered(std::size_t i, Task* task) {
    Answer& answer = found_[i];
    if (task == nullptr) {
      answer.failure = run_->not_ready("the table " + run_->plan->query_id);
    } else if (Store* store = store_of(*task, reader_->store())) {
      if (auto read = reader_->look_up(*store, lookups_[i], answer.entries); !read) answer.failure = read.error();
    } else {
      answer.failure = Error{Fault::bug, "the store of the table is missing"};
    }
    if (left_.fetch_sub(1) == 1) later_();
  }

  const std::shared_ptr<QueryRun> run_;
  const std::vector<PullLookup> lookups_;
  std::unique_ptr<PullReader> reader_;
  std::vector<Answer> found_;
  std::atomic<std::size_t> left_{1};
  std::function<void()> later_;
};

namespace {

class FoundNothing final : public FoundKeys {
 public:
  explicit FoundNothing(Error why) : why_(std::move(why)) {}
  Status rows(const std::function<bool(const Batch&)>&) override { return why_; }

 private:
  Error why_;
};

}  // namespace

Result<std::unique_ptr<TableRows>> EngineImpl::read_table(const std::string& query_id,
                                                          std::vector<PullLookup> lookups) {
  auto run = find(query_id);
  if (!run) return external_error("the query {} does not run here", query_id);
  if (!run->plan->materialization) return user_error("the result of {} is not a table that can be asked", query_id);
  return std::unique_ptr<TableRows>(std::make_unique<PulledRows>(*this, std::move(run), std::move(lookups)));
}

Status EngineImpl::pull(const std::string& query_id, std::span<const PullLookup> lookups,
                        const std::function<bool(const Batch&)>& visit) {
  auto rows = read_table(query_id, {lookups.begin(), lookups.end()});
  if (!rows) return rows.error();
  while (true) {
    auto batch = (*rows)->next();
    if (!batch) return batch.error();
    if (!*batch || !visit(**batch)) return {};
  }
}

Engine::Found EngineImpl::look_up(const std::string& query_id, std::vector<PullLookup> lookups,
                                  std::function<void(Found)> later) {
  auto run = find(query_id);
  if (!run) return std::make_shared<FoundNothing>(external_error("the query {} does not run here", query_id));
  if (!run->plan->materialization)
    return std::make_shared<FoundNothing>(user_error("the result of {} is not a table that can be asked", query_id));
  auto asked = std::make_shared<KeyLookups>(std::move(run), std::move(lookups));
  const bool here = asked->ask(*this, [weak = std::weak_ptr(asked), later = std::move(later)] {
    if (auto self = weak.lock()) later(std::move(self));
  });
  return here ? std::move(asked) : nullptr;
}

}  // namespace millrace::inline exec
