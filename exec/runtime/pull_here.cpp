#include "exec/runtime/engine_impl.h"
#include "exec/runtime/table_reader.h"

/// What this process answers to others of its service: from its own slots only.
namespace millrace::inline exec {
namespace {

constexpr std::size_t kEntriesPerPage = 1024;

/// The partitions of a range, each as it is when it is come to.
class PagesHere final : public TablePages {
 public:
  PagesHere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::shared_ptr<const TableReader> reader,
            TableRange range)
      : engine_(engine), run_(std::move(run)), reader_(std::move(reader)), range_(std::move(range)) {}

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
    const int partition = range_.partitions.at(at_);
    Worker* worker = engine_.worker_of(*run_, reader_->subtopology(), partition);
    Status outcome;
    const auto snapshot = [&](Task& task) {
      auto scan = reader_->snapshot(task, {range_.from, range_.to});
      if (scan)
        scan_ = std::move(*scan);
      else
        outcome = scan.error();
    };
    const bool here = worker != nullptr && worker->visit_task(*run_, reader_->subtopology(), partition, snapshot);
    if (here && engine_.is_current()) return outcome;
    StandbyCopies* copies = range_.max_lag ? engine_.standbys() : nullptr;
    if (copies != nullptr && copies->visit(run_->plan->query_id, reader_->subtopology(), partition, *range_.max_lag,
                                           snapshot) == StandbyCopies::Visited::yes)
      return outcome;
    return run_->not_ready_partition(partition, engine_.options().advertised);
  }

  EngineImpl& engine_;
  const std::shared_ptr<QueryRun> run_;
  const std::shared_ptr<const TableReader> reader_;
  const TableRange range_;
  std::size_t at_ = 0;  // of the partitions
  std::unique_ptr<StoreScan> scan_;
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
  return std::unique_ptr<TablePages>(
      std::make_unique<PagesHere>(*this, std::move(table->run), std::move(table->reader), std::move(range)));
}

}  // namespace millrace::inline exec
