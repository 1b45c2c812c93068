#include "exec/runtime/pull.h"

#include <algorithm>

#include "exec/runtime/engine_impl.h"

namespace millrace {
namespace {

constexpr std::size_t kRowsPerScan = 1024;  // entries taken while the worker waits

Store* store_of(Task& task, const std::string& name) {
  for (auto& entry : task.stores())
    if (entry.plan->name == name) return entry.store.get();
  return nullptr;
}

}  // namespace

// One pull query: visits the tasks it needs, decodes outside their workers' gates.
class Pull {
 public:
  Pull(EngineImpl& engine, std::shared_ptr<QueryRun> run, PullReader& reader,
       const std::function<bool(const Batch&)>& visit)
      : engine_(engine), run_(std::move(run)), reader_(reader), visit_(visit) {}

  Status run(std::span<const PullLookup> lookups) {
    for (const PullLookup& lookup : lookups) {
      if (done_) break;
      if (auto answered = lookup.key.empty() ? scan(lookup) : look_up(lookup); !answered) return answered;
    }
    return {};
  }

 private:
  int partitions() const { return run_->layout.subtopologies[reader_.subtopology()].tasks; }

  Status at(int partition, const std::function<Status(Store&)>& read) {
    Worker* worker = engine_.worker_of(*run_, reader_.subtopology(), partition);
    Status outcome;
    const bool here = worker != nullptr && worker->visit_task(*run_, reader_.subtopology(), partition, [&](Task& task) {
      Store* store = store_of(task, reader_.store());
      outcome = store != nullptr ? read(*store) : Status(Error{Fault::bug, "the store of the table is missing"});
    });
    if (!here) return external_error("partition {} of {} is not ready here", partition, run_->plan->query_id);
    return outcome;
  }

  Status give(const PullReader::Entries& entries, const PullLookup& lookup) {
    if (entries.empty()) return {};
    auto rows = reader_.rows(entries, lookup);
    if (!rows) return rows.error();
    if (rows->rows > 0 && !visit_(*rows)) done_ = true;
    return {};
  }

  Status look_up(const PullLookup& lookup) {
    auto partition = reader_.partition_of(lookup, partitions());
    if (!partition) return partition.error();
    PullReader::Entries entries;
    if (auto read = at(*partition, [&](Store& store) { return reader_.look_up(store, lookup, entries); }); !read)
      return read;
    return give(entries, lookup);
  }

  Status scan(const PullLookup& lookup) {
    for (int partition = 0; partition < partitions() && !done_; ++partition) {
      std::optional<std::string> from = reader_.scan_begin(lookup);
      while (from && !done_) {
        PullReader::Entries entries;
        auto read = at(partition, [&](Store& store) -> Status {
          auto next = reader_.scan(store, lookup, *from, kRowsPerScan, entries);
          if (!next) return next.error();
          from = std::move(*next);
          return {};
        });
        if (!read) return read;
        if (auto given = give(entries, lookup); !given) return given;
      }
    }
    return {};
  }

  EngineImpl& engine_;
  std::shared_ptr<QueryRun> run_;
  PullReader& reader_;
  const std::function<bool(const Batch&)>& visit_;
  bool done_ = false;
};

Status EngineImpl::pull(const std::string& query_id, std::span<const PullLookup> lookups,
                        const std::function<bool(const Batch&)>& visit) {
  const auto run = find(query_id);
  if (!run) return external_error("the query {} does not run here", query_id);
  if (!run->plan->materialization) return user_error("the result of {} is not a table that can be asked", query_id);
  auto reader = run->pull_readers.take(*run->plan);
  auto outcome = Pull(*this, run, *reader, visit).run(lookups);
  run->pull_readers.give_back(std::move(reader));
  return outcome;
}

}  // namespace millrace
