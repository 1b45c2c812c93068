#include "exec/runtime/task.h"

#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/operators/windows.h"
#include "exec/runtime/indexed_rows.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

class WriterChangelog final : public ChangelogSink {
 public:
  WriterChangelog(Writer& writer, TopicHandle topic, std::int32_t partition)
      : writer_(writer), topic_(topic), partition_(partition), now_(wall_clock_ms()) {}
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    return writer_.append(topic_, partition_, key, value, RecordTime{now_});
  }

 private:
  Writer& writer_;
  TopicHandle topic_;
  std::int32_t partition_;
  std::int64_t now_;
};

/// In how many windows a row of the subtopology counts, at most.
std::int64_t windows_per_row(const PlanNode& node) {
  const auto* aggregate = node.as<AggregateNode>();
  std::int64_t most = aggregate != nullptr && aggregate->window ? windows_per_row(*aggregate->window) : 1;
  for (const NodePtr& input : inputs_of(node)) most = std::max(most, windows_per_row(*input));
  return most;
}

// What one step of a task may take: whoever has expressions that take their time gets few rows at a time.
constexpr std::chrono::milliseconds kShortStep{5}, kLongStep{40};
constexpr std::size_t kFirstRows = 64, kGrowth = 4;

class NoChangelog final : public ChangelogSink {
 public:
  Status put(std::string_view, std::optional<std::string_view>) override { return {}; }
};

}  // namespace

Task::Task(std::shared_ptr<QueryRun> run, TaskPlace place, const TaskEnvironment& environment)
    : run_(std::move(run)),
      place_(place),
      environment_(environment),
      subtopology_(run_->plan->subtopologies[place.subtopology]),
      progress_key_(progress_key(*run_->plan, subtopology_, place.partition)),
      batch_rows_(std::min(environment.batch_rows, rows_at_once(windows_per_row(*subtopology_.root)))),
      at_once_(std::min(batch_rows_, kFirstRows)) {}

Task::~Task() {
  for (StoreEntry& entry : stores_) count_state(entry, 0);
  report_lag(0);
  if (pace_ != nullptr) pace_->leave(pace_member_, returns_);
}

Result<std::unique_ptr<Task>> Task::make(std::shared_ptr<QueryRun> run, TaskPlace place,
                                         const TaskEnvironment& environment, const Progress& progress) {
  return contained([&]() -> Result<std::unique_ptr<Task>> {
    std::unique_ptr<Task> task(new Task(std::move(run), place, environment));
    if (auto built = task->build(progress); !built) return built.error();
    return task;
  });
}

Status Task::build(const Progress& progress) {
  if (!run_->layout.subtopologies[place_.subtopology].broadcasts.empty())
    whole_ = run_->whole_tables(place_.subtopology);
  auto pipeline = build_pipeline(subtopology_, *this, *this);
  if (!pipeline) return pipeline.error();
  pipeline_ = std::move(*pipeline);
  if (subtopology_.root->as<SinkNode>()) {
    sink_ = std::make_unique<SinkStage>(
        *subtopology_.root, run_->options, place_.partition, [this](const std::string& message, std::uint64_t count) {
          for (std::uint64_t i = 0; i < count; ++i)
            report_bad(subtopology_.name_of(*subtopology_.root), RecordErrorKind::processing, message, {}, -1);
        });
  }
  output_ = subtopology_.root->as<OutputNode>() != nullptr;
  if (auto made = make_indexes(); !made) return made;
  make_late_sinks(*subtopology_.root);
  make_inputs();
  committed_ = progress;
  if (progress.sequence > 0) {
    if (auto loaded = pipeline_->load(progress.operators); !loaded) return loaded;
  } else {
    committed_.operators = pipeline_->save();
  }
  for (auto& input : inputs_) {
    if (input->broadcast()) continue;
    const std::string& topic = input->partition().topic;
    input->seek(progress.offset_of(topic, 0), progress.witness_of(topic));
    input->restore_times(progress.times_of(topic));
    input->be_ready_at(progress.ready_of(topic));
    if (progress.sequence > 0) input->be_strict();
    input->doubt();
  }
  start_idle_clock();
  join_pace();
  return {};
}

void Task::make_late_sinks(const PlanNode& node) {
  for (const NodePtr& input : inputs_of(node)) make_late_sinks(*input);
  const auto* late = node.as<LateNode>();
  if (late == nullptr) return;
  auto sink = std::make_shared<PlanNode>();
  static_cast<Relation&>(*sink) = late->written();
  sink->node = SinkNode{.input = {},
                        .name = late->name,
                        .topic = late->topic,
                        .key_format = late->key_format,
                        .value_format = late->value_format,
                        .timestamp = late->timestamp};
  const auto report = [this, &node](const std::string& message, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i)
      report_bad(subtopology_.name_of(node), RecordErrorKind::processing, message, {}, -1);
  };
  auto stage = std::make_unique<SinkStage>(*sink, run_->options, place_.partition, report);
  late_sinks_.push_back({&node, std::move(sink), std::move(stage)});
}

/// Of the table that the query keeps.
Status Task::make_indexes() {
  const auto& table = run_->plan->materialization;
  if (!table || table->indexes.empty() || table->subtopology != subtopology_.id) return {};
  auto* store = dynamic_cast<MapStore*>(find_store(table->store));
  ensure(store != nullptr);
  const auto kept = std::ranges::find(subtopology_.stores, table->store, &StorePlan::name);
  for (const TableIndex& index : table->indexes) {
    auto made = IndexedRows::make(index, *run_->plan, *kept, *store, this->store(table->store));
    if (!made) return made.error();
    indexes_.push_back(std::move(*made));
  }
  return {};
}

void Task::make_inputs() {
  const auto& layout = run_->layout.subtopologies[place_.subtopology];
  for (std::size_t i = 0; i < layout.inputs.size(); ++i) {
    const LayoutInput& input = layout.inputs[i];
    if (place_.partition >= input.partitions) continue;
    const int rank = static_cast<int>(i) + (input.table ? 0 : 1 << 16);
    inputs_.push_back(std::make_unique<TaskInput>(TopicPartition{input.topic, place_.partition}, input.internal,
                                                  leaves_of(input.topic, false), rank));
    if (input.writers > 0) inputs_.back()->expect_times(static_cast<std::size_t>(input.writers));
  }
  for (const LayoutInput& input : layout.broadcasts) {
    for (int partition = 0; partition < input.partitions; ++partition) {
      inputs_.push_back(
          std::make_unique<TaskInput>(TopicPartition{input.topic, partition}, false, leaves_of(input.topic, true), 0));
      inputs_.back()->be_broadcast();
      inputs_.back()->seek(whole_->taken(inputs_.back()->partition()));
    }
  }
}

std::vector<TaskInput::Leaf> Task::leaves_of(const std::string& topic, bool broadcast) {
  std::vector<TaskInput::Leaf> leaves;
  const auto& all = pipeline_->leaves();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const SourceNode& source = *all[i].source->as<SourceNode>();
    if (source.topic != topic || source.broadcast != broadcast) continue;
    const std::string step = source.name.empty() ? source.topic : source.name;
    auto on_bad = [this, step, topic](const BadRecord& bad) {
      report_bad(step, bad.kind, bad.message, topic, bad.offset);
      dirty_ = true;
    };
    leaves.push_back({i, std::make_unique<SourceStage>(*all[i].source, run_->options, place_.partition,
                                                       environment_.sources, std::move(on_bad))});
  }
  return leaves;
}

/// What every task reads whole comes first, whatever its times are: nothing else goes on before it is read to its end.
Result<TaskInput*> Task::choose_broadcast(const HasMore& has_more, bool& blocked, std::size_t& rows) {
  for (auto& input : inputs_) {
    if (!input->broadcast()) continue;
    input->pass_over(whole_->taken(input->partition()));
    if (auto loaded = load_head(*input); !loaded) return loaded.error();
    if (input->has_head()) {
      rows = input->head_rows();
      return input.get();
    }
    blocked = blocked || input->waits_for_schema() || has_more(*input, rows_read());
  }
  return nullptr;
}

/// Then what others wait for (READY), once and for all.
Result<TaskInput*> Task::choose_unready(const HasMore& has_more, bool& blocked, std::size_t& rows) {
  for (auto& input : inputs_) {
    if (!input->ready_at()) continue;
    if (auto loaded = load_head(*input); !loaded) return loaded.error();
    rows = input->has_head() ? input->rows_under(*input->ready_at()) : 0;
    if (rows > 0) return input.get();
    if (!input->has_head() && (input->waits_for_schema() || has_more(*input, {})) &&
        input->consumed() < *input->ready_at()) {
      blocked = true;
      continue;
    }
    input->be_ready_at(std::nullopt);
    dirty_ = true;
  }
  return nullptr;
}

Result<TaskInput*> Task::choose(const HasMore& has_more, bool& blocked, std::size_t& rows) {
  auto first_of_all = choose_broadcast(has_more, blocked, rows);
  if (!first_of_all || *first_of_all != nullptr || blocked) return first_of_all;
  auto unready = choose_unready(has_more, blocked, rows);
  if (!unready || *unready != nullptr || blocked) return unready;
  TaskInput* best = nullptr;
  for (auto& input : inputs_) {
    if (input->broadcast()) continue;
    if (auto loaded = load_head(*input); !loaded) return loaded.error();
    if (!input->has_head()) continue;
    const bool first = best == nullptr || input->head_time() < best->head_time() ||
                       (input->head_time() == best->head_time() && input->rank() < best->rank());
    if (first) best = input.get();
  }
  blocked = wait_for_rest(has_more, best);
  if (best == nullptr || blocked) return nullptr;
  rows = best->head_rows();
  for (auto& input : inputs_)
    if (input.get() != best && !input->broadcast() && input->has_head())
      rows = std::min(rows, best->rows_before(input->head_time(), input->rank()));
  return best;
}

/// Whether an input that has nothing may still get what comes first. What was committed before the next rows were read
/// goes by its time; those that are read behind them are asked for ahead.
bool Task::wait_for_rest(const HasMore& has_more, const TaskInput* next) const {
  if (inputs_.size() == 1 && pace_ == nullptr) return !next && inputs_.front()->waits_for_schema();
  const Clock::time_point asked = pace_ != nullptr ? pace_->asked(pace_member_) : Clock::time_point{};
  const Clock::time_point since = next ? std::max(asked, next->read()) : asked;
  bool wait = false;
  for (const auto& input : inputs_) {
    if (input->broadcast() || input->has_head()) continue;
    const bool more = input->waits_for_schema() || (!input->at_end() && has_more(*input, since));
    if (!more && next && next->last_read() > since && !input->at_end()) has_more(*input, next->last_read());
    wait = wait || more;
  }
  return wait;
}

/// When the rows were read that may be next.
Clock::time_point Task::rows_read() const {
  Clock::time_point read{};
  for (const auto& input : inputs_)
    if (!input->broadcast() && (input->has_head() || input->has_queued())) read = std::max(read, input->read());
  return read;
}

void Task::join_pace() {
  Pace* pace = run_->pace.get();
  const Pace::Inputs inputs = pace != nullptr ? pace->inputs(place_.subtopology) : Pace::Inputs::none;
  if (inputs == Pace::Inputs::none) return;
  all_keep_pace_ = inputs == Pace::Inputs::all;
  last_told_ = committed_.pace.value_or(Pace::kUnknown);
  pace_member_ = pace->join(place_.subtopology, place_.partition, &environment_, environment_.wake);
  pace_ = pace;
}

/// Tells the time of its next row, if that is known: while more is on its way, what was told before still holds.
void Task::tell_pace(const HasMore& has_more) {
  std::int64_t next = Pace::kNothing;
  const Clock::time_point asked = pace_->asked(pace_member_);
  for (const auto& input : inputs_) {
    if (!keeps_pace(*input)) continue;
    if (input->has_head()) {
      next = std::min(next, input->head_time());
    } else if (input->waits_for_schema() || (!input->at_end() && has_more(*input, asked))) {
      return;
    }
  }
  tell_pace(next, asked);
}

void Task::tell_pace(std::int64_t time, Clock::time_point known) {
  if (time != Pace::kNothing) last_told_ = time;
  told_ = time;
  known_ = known;
  pace_->is_at(pace_member_, time, known);
  if (!dirty_ && committing_.sequence == 0) pace_->has_committed(pace_member_, time, known);
}

void Task::arrived() {
  if (pace_ != nullptr && told_ == Pace::kNothing) tell_pace(last_told_);
}

bool Task::untold() const {
  if (pace_ == nullptr || !pace_->shared() || dirty_ || committing_.sequence != 0) return false;
  if (told_ == Pace::kUnknown) return false;
  if (told_ != Pace::kNothing) return committed_.pace != told_;
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& input) {
    return keeps_pace(*input) && input->consumed() > committed_.offset_of(input->partition().topic, 0);
  });
}

std::size_t Task::paced_rows(const TaskInput& input, std::size_t rows) {
  constexpr int kAnyRank = std::numeric_limits<int>::max();
  const auto limit = [&] { return pace_->limit(pace_member_, input.read(), input.last_read()); };
  std::size_t allowed = input.rows_before(limit(), kAnyRank);
  if (allowed == 0) {
    pace_->waits(pace_member_);  // from here on it is woken
    allowed = input.rows_before(limit(), kAnyRank);
  }
  return std::min(rows, allowed);
}

/// Decoding is the source's work.
Status Task::load_head(TaskInput& input) {
  if (input.has_head() || !input.has_queued()) return input.load_head(batch_rows_);
  const auto began = Clock::now();
  Status loaded = input.load_head(batch_rows_);
  const auto took = static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - began).count());
  const Pipeline::Leaf& source = pipeline_->leaves()[input.leaves().front().leaf];
  source.counters->busy_ns.fetch_add(took, std::memory_order_relaxed);
  return loaded;
}

void Task::count_state(StoreEntry& entry, std::size_t bytes) {
  entry.counters->state_bytes += static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(entry.counted_bytes);
  entry.counted_bytes = bytes;
}

Result<Task::Step> Task::step(const HasMore& has_more) {
  return contained([&] { return step_once(has_more); });
}

Result<Task::Step> Task::step_once(const HasMore& has_more) {
  bool blocked = false;
  std::size_t rows = 0;
  auto chosen = choose(has_more, blocked, rows);
  if (!chosen) return chosen.error();
  if (pace_ != nullptr) tell_pace(has_more);
  if (*chosen == nullptr) return blocked ? Step::blocked : Step::nothing;
  if (keeps_pace(**chosen) && !(*chosen)->head_is_time()) rows = paced_rows(**chosen, rows);
  if (rows == 0) {
    dirty_ = dirty_ || untold();
    return Step::paced;
  }
  dirty_ = true;
  rows = (*chosen)->whole_changes(std::min(rows, at_once_));
  const auto began = Clock::now();
  if (auto given = (*chosen)->broadcast() ? give_whole(**chosen, rows) : give(**chosen, rows); !given)
    return given.error();
  learn_pace(rows, Clock::now() - began);
  return Step::worked;
}

void Task::learn_pace(std::size_t rows, Clock::duration took) {
  if (took > kLongStep) {
    at_once_ = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(rows) * (kLongStep / 2) / took));
  } else if (took < kShortStep && at_once_ < batch_rows_) {
    at_once_ = std::min(batch_rows_, at_once_ * kGrowth);
  }
}

Status Task::give(TaskInput& input, std::size_t rows) {
  if (input.head_is_time()) return give_time(input);
  if (idle_ && !input.timed()) idle_->rows(input.newest(rows), wall_clock_ms());
  run_->rows_in += rows;
  for (std::size_t i = 0; i < input.leaves().size(); ++i) {
    const std::size_t leaf = input.leaves()[i].leaf;
    Status done;
    if (const Batch* whole = input.whole(i, rows)) {
      if (whole->rows > 0) done = pipeline_->push(leaf, *whole);
    } else {
      const Batch part = input.cut(i, rows);
      if (part.rows > 0) done = pipeline_->push(leaf, part);
    }
    if (!done) return done;
  }
  input.consume(rows);
  return {};
}

/// What another task has not taken in already.
Status Task::give_whole(TaskInput& input, std::size_t rows) {
  const MutexLock taking(whole_->taking());
  const std::size_t taken = std::min(rows, input.rows_under(whole_->taken(input.partition())));
  if (taken > 0) input.consume(taken);
  if (taken < rows)
    if (Status given = give(input, rows - taken); !given) return given;
  whole_->took(input.partition(), input.consumed());
  return {};
}

Status Task::batch(Batch&& batch) {
  if (batch.rows == 0) return {};
  if (output_) {
    run_->rows_out += batch.rows;
    run_->receiver->rows(std::move(batch));
    return {};
  }
  if (!sink_) return {};
  std::uint64_t written = 0;
  auto done = sink_->write(batch, *environment_.writer, written);
  run_->rows_out += written;
  return done;
}

Progress Task::now() const {
  Progress progress;
  progress.sequence = committed_.sequence + 1;
  for (const auto& input : inputs_) {
    if (input->broadcast()) continue;
    progress.offsets.emplace_back(input->partition().topic, input->consumed());
    if (input->witness().offset >= 0) progress.witnesses.emplace_back(input->partition().topic, input->witness());
    if (input->ready_at()) progress.ready.emplace_back(input->partition().topic, *input->ready_at());
    if (input->timed()) progress.times.push_back({input->partition().topic, input->told_times()});
  }
  progress.operators = pipeline_->save();
  if (idle_) progress.stream_time = idle_->stream_time();
  if (pace_ != nullptr)
    if (const std::int64_t at = told_ == Pace::kNothing ? last_told_ : told_; at != Pace::kUnknown) progress.pace = at;
  return progress;
}

Status Task::begin_commit() {
  return contained([&] { return write_commit(); });
}

Status Task::write_commit() {
  if (auto done = pipeline_->commit(); !done) return done;
  if (sink_)
    if (auto told = sink_->write_newest(*environment_.writer); !told) return told;
  if (auto done = commit_stores(); !done) return done;
  if (sink_) sink_->begin_commit();
  for (LateSink& late : late_sinks_) late.stage->begin_commit();
  committing_ = now();
  told_at_commit_ = told_;
  known_at_commit_ = known_;
  dirty_ = false;
  if (environment_.slots_topic.empty()) return {};
  auto topic = environment_.writer->topic(environment_.slots_topic);
  if (!topic) return topic.error();
  return environment_.writer->append(*topic, partition_of(place_.slot), progress_key_, encode(committing_),
                                     RecordTime{wall_clock_ms()});
}

Status Task::commit_stores() {
  for (const auto& index : indexes_)
    if (auto done = index->update(); !done) return done;
  for (StoreEntry& entry : stores_) {
    NoChangelog none;
    if (entry.changelog.empty()) {
      if (auto done = entry.store->begin_commit(none); !done) return done;
      continue;
    }
    auto topic = environment_.writer->topic(entry.changelog, true);
    if (!topic) return topic.error();
    entry.changelog_topic = *topic;
    WriterChangelog changelog(*environment_.writer, *topic, place_.partition);
    if (auto done = entry.store->begin_commit(changelog); !done) return done;
  }
  return {};
}

void Task::commit_done(const std::vector<Writer::Appended>& appended) {
  for (StoreEntry& entry : stores_) {
    for (const auto& end : appended)
      if (end.topic == entry.changelog_topic && end.partition == place_.partition)
        entry.changelog_end = end.next_offset;
    entry.store->commit_done(entry.changelog_end);
    count_state(entry, entry.store->memory_bytes());
  }
  committed_ = std::move(committing_);
  committing_ = {};
  for (auto& input : inputs_)
    if (!input->broadcast()) input->be_strict();
  if (pace_ != nullptr)
    pace_->has_committed(pace_member_, dirty_ ? told_at_commit_ : told_, dirty_ ? known_at_commit_ : known_);
}

Status Task::roll_back() {
  for (StoreEntry& entry : stores_) entry.store->roll_back();
  for (auto& input : inputs_) {
    if (input->broadcast()) continue;  // what it brought has stayed
    const std::string& topic = input->partition().topic;
    input->seek(committed_.offset_of(topic, 0), committed_.witness_of(topic));
    input->restore_times(committed_.times_of(topic));
    input->be_ready_at(committed_.ready_of(topic));
  }
  if (sink_) sink_->roll_back();
  dirty_ = false;
  committing_ = {};
  if (pace_ != nullptr) {
    told_ = pace_->committed(pace_member_);
    known_ = {};
    pace_->is_at(pace_member_, told_, known_);
  }
  restore_idle_clock();
  return contained([&] { return pipeline_->load(committed_.operators); });
}

std::int64_t Task::settled(const TaskInput& input) const {
  const bool uncommitted = dirty_ || committing_.sequence > 0;
  return uncommitted && !input.broadcast() ? committed_.offset_of(input.partition().topic, 0) : input.consumed();
}

std::size_t Task::dirty_bytes() const {
  std::size_t sum = pipeline_->held_bytes();
  for (const StoreEntry& entry : stores_) sum += entry.store->dirty_bytes();
  return sum;
}

void Task::report_lag(std::optional<std::int64_t> records) {
  run_->lag += records.value_or(0) - lag_.value_or(0);
  run_->lags_unknown += (records ? 0 : 1) - (lag_ ? 0 : 1);
  lag_ = records;
}

bool Task::may_wait() const {
  return pace_ == nullptr && !(sink_ && sink_->wrote()) &&
         std::none_of(late_sinks_.begin(), late_sinks_.end(), [](const auto& late) { return late.stage->wrote(); });
}

bool Task::wrote_to(const TopicPartition& where) const {
  if (sink_ && sink_->topic() == where.topic && sink_->wrote_to(where.partition)) return true;
  const auto has = [&](const LateSink& late) {
    return late.stage->topic() == where.topic && late.stage->wrote_to(where.partition);
  };
  if (std::any_of(late_sinks_.begin(), late_sinks_.end(), has)) return true;
  return place_.partition == where.partition &&
         std::any_of(stores_.begin(), stores_.end(),
                     [&](const StoreEntry& entry) { return entry.changelog == where.topic; });
}

Store* Task::find_store(std::string_view name) const {
  for (const StoreEntry& entry : stores_)
    if (entry.plan->name == name) return entry.store.get();
  return nullptr;
}

IndexedRows* Task::find_index(std::string_view name) const {
  const auto found = std::ranges::find(indexes_, name, &IndexedRows::name);
  return found != indexes_.end() ? found->get() : nullptr;
}

StoreSlot Task::store(const std::string& name) {
  const auto plan = std::find_if(subtopology_.stores.begin(), subtopology_.stores.end(),
                                 [&](const StorePlan& known) { return known.name == name; });
  ensure(plan != subtopology_.stores.end());
  StoreSlot slot;
  slot.db = environment_.state;
  slot.prefix = state_name(*run_->plan, name, place_.partition);
  slot.changelog = !plan->changelog_topic.empty();
  slot.retention_ms = plan->retention_ms;
  const auto keep = [this, plan = &*plan](std::unique_ptr<Store> store, const std::string& changelog) {
    StoreEntry entry;
    entry.plan = plan;
    entry.counters = counters(subtopology_.name_of(*plan->owner));
    entry.changelog = changelog;
    entry.store = std::move(store);
    stores_.push_back(std::move(entry));
    return stores_.back().store.get();
  };
  slot.attach = [keep, plan = &*plan](std::unique_ptr<Store> store) {
    return keep(std::move(store), plan->changelog_topic);
  };
  slot.attach_index = [keep](std::unique_ptr<Store> store) { return keep(std::move(store), {}); };
  if (whole_) slot.common = [this, name](const auto& make) { return whole_->table(name, make); };
  return slot;
}

void Task::report(std::string_view step, RecordErrorKind kind, const RowErrors& errors, const Batch& in) {
  for (const auto& entry : errors.entries) {
    const std::int64_t offset = in.offsets ? (*in.offsets)[entry.row] : -1;
    const std::string topic = inputs_.size() == 1 ? inputs_.front()->partition().topic : std::string();
    report_bad(std::string(step), kind, entry.message, topic, offset);
  }
  run_->bad_records += errors.count - errors.entries.size();
  run_->counters_of(step).errors += errors.count;
}

void Task::report_bad(const std::string& step, RecordErrorKind kind, std::string_view message, const std::string& topic,
                      std::int64_t offset) {
  ++run_->bad_records;
  if (message.empty() || !environment_.events->on_record_error) return;
  environment_.events->on_record_error(
      {run_->plan->query_id, step, kind, std::string(message), topic, place_.partition, offset});
}

void Task::kept_late_rows(std::string_view step, std::uint64_t count) {
  run_->late_rows += count;
  run_->counters_of(step).late_rows += count;
}

Status Task::write_late(const PlanNode& late, Batch&& rows) {
  std::uint64_t written = 0;
  for (LateSink& sink : late_sinks_)
    if (sink.node == &late) return sink.stage->write(rows, *environment_.writer, written);
  return Error{Fault::bug, "late rows have nowhere to go"};
}

void Task::late_rows(std::string_view step, std::uint64_t count) {
  kept_late_rows(step, count);
  if (!environment_.events->on_record_error) return;
  const std::string topic = inputs_.size() == 1 ? inputs_.front()->partition().topic : std::string();
  environment_.events->on_record_error(
      {run_->plan->query_id, std::string(step), RecordErrorKind::processing,
       fmt::format("{} {} too late: {} window is closed", count, count == 1 ? "row came" : "rows came",
                   count == 1 ? "its" : "their"),
       topic, place_.partition, -1});
}

}  // namespace millrace::inline exec
