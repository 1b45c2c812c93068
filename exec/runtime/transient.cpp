#include "exec/runtime/transient.h"

#include <algorithm>
#include <utility>

#include "exec/log/local/memory.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/transient_host.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kMemoryLook{50};

/// What the client of a run has of it.
class TransientHandle final : public TransientQuery {
 public:
  explicit TransientHandle(std::shared_ptr<TransientRun> run) : run_(std::move(run)) {}
  ~TransientHandle() override { run_->leave(); }
  void resume() override { run_->resume(); }

 private:
  const std::shared_ptr<TransientRun> run_;
};

}  // namespace

TransientRun::TransientRun(EngineImpl& engine, std::shared_ptr<const PhysicalPlan> plan, Kind kind,
                           TransientEvents events, std::vector<std::int64_t> from)
    : engine_(engine), plan_(std::move(plan)), kind_(kind), events_(std::move(events)), from_(std::move(from)) {
  if (const auto* output = plan_->subtopologies.back().root->as<OutputNode>()) limit_ = RowLimit(output->limit);
}

TransientRun::~TransientRun() {
  for (const std::string& topic : exchanged_) static_cast<void>(host_->exchange().delete_topic(topic).has_value());
}

void TransientRun::leave() {
  {
    const MutexLock lock(events_mutex_);
    ended_ = true;
  }
  if (!run_) return;
  if (!host_->remove(*this, run_)) engine_.left_behind(shared_from_this());
}

void TransientRun::give_up(const Error& error) {
  if (!events_mutex_.try_lock()) return;  // it is told something right now
  if (!ended_) end(error);
  events_mutex_.unlock();
}

Status TransientRun::open() {
  if (kind_ == Kind::until_end) {
    auto own = engine_.own_reader();
    if (!own) return own.error();
    own_reader_ = std::move(*own);
  }
  TopicSizes sizes(engine_.log());
  auto layout = make_layout(sizes, *plan_, 1);
  if (!layout) return layout.error();
  // A cluster that is away holds up nobody else.
  const bool alone = kind_ == Kind::until_end;
  auto host = alone || !other_clusters(*plan_).empty() ? TransientHost::make(engine_, alone)
              : kind_ == Kind::keeping                 ? engine_.keeping_host()
                                                       : engine_.push_host();
  if (!host) return host.error();
  host_ = std::move(*host);
  if (auto made = make_exchange(*layout); !made) return made;
  run_ = std::make_shared<QueryRun>(plan_, std::move(*layout));
  run_->options.emit_every_change = true;
  if (kind_ == Kind::keeping)
    run_->keeper = &host_->worker();
  else
    run_->receiver = this;
  run_->held = true;  // until its client has heard that it begins
  if (auto added = add_tasks(); !added) return added;
  if (kind_ != Kind::until_end) engine_.watch_partitions(run_);
  if (events_.on_begin) events_.on_begin();
  {
    const MutexLock lock(events_mutex_);
    tell_position();  // whoever loses the connection at once goes on from here
  }
  host_->add(shared_from_this());
  run_->held = false;
  host_->worker().wake();
  return {};
}

Status TransientRun::make_exchange(const QueryLayout& layout) {
  for (std::size_t i = 0; i < plan_->topics.size(); ++i) {
    TopicConfig config;
    config.partitions = layout.topic_partitions[i];
    if (auto made = host_->exchange().create_topic(plan_->topics[i].name, config); !made) return made;
    exchanged_.push_back(plan_->topics[i].name);
  }
  return {};
}

Status TransientRun::add_tasks() {
  std::vector<Worker::NewTask> tasks;
  for (std::size_t sub = 0; sub < run_->layout.subtopologies.size(); ++sub) {
    const SubtopologyLayout& layout = run_->layout.subtopologies[sub];
    for (int partition = 0; partition < layout.tasks; ++partition) {
      Worker::NewTask task{run_, {sub, partition, kNoSlot}, {}, {}};
      for (const LayoutInput& input : layout.inputs) {
        if (input.internal || partition >= input.partitions) continue;
        auto bounds = engine_.log().bounds({input.topic, partition});
        if (!bounds) return bounds.error();
        auto start = start_of(input, partition, *bounds);
        if (!start) return start.error();
        task.progress.offsets.emplace_back(input.topic, *start);
        if (input.ready) task.progress.ready.emplace_back(input.topic, bounds->end);
        if (events_.on_position) positions_.push_back(*start);
        if (kind_ == Kind::until_end) task.ends.emplace_back(input.topic, bounds->end);
      }
      tasks.push_back(std::move(task));
    }
  }
  if (!host_->worker().add_tasks(std::move(tasks), TransientHost::kAnswerWait)) {
    host_is_late_ = true;
    return TransientHost::late_error();
  }
  if (const auto failure = run_->last_failure()) return *failure;
  return {};
}

Result<std::int64_t> TransientRun::start_of(const LayoutInput& input, int partition, const Log::Bounds& bounds) {
  const bool from_begin = input.table || plan_->options.from_earliest;
  if (from_.empty()) return from_begin ? bounds.begin : bounds.end;
  if (partition >= static_cast<int>(from_.size())) return bounds.begin;
  const std::int64_t wanted = from_[static_cast<std::size_t>(partition)];
  if (wanted < bounds.begin)
    return user_error("records of {} that come next are gone: it begins at offset {} of partition {}, not at {}",
                      input.topic, bounds.begin, partition, wanted);
  if (wanted > bounds.end)
    return user_error("offset {} lies behind the end of partition {} of {}", wanted, partition, input.topic);
  return wanted;
}

void TransientRun::tell_position() {
  if (!events_.on_position || !std::exchange(moved_, false)) return;
  events_.on_position(positions_);
}

void TransientRun::resume() {
  resumed_ = true;
  host_->worker().wake();
}

void TransientRun::rows(Batch&& batch) {
  std::vector<std::uint32_t> kept;
  kept.reserve(batch.rows);
  const std::size_t most = limit_.of(batch.rows);
  for (std::size_t row = 0; row < batch.rows && kept.size() < most; ++row) {
    if (batch.kind(row) == RowKind::update_before || batch.null_values.test(row)) continue;
    kept.push_back(static_cast<std::uint32_t>(row));
  }
  limit_.count(kept.size());
  if (events_.on_position && batch.offsets) {
    positions_[static_cast<std::size_t>(batch.partition)] = batch.offsets->back() + 1;
    moved_ = true;
  }
  if (kept.empty()) return;
  pending_.push_back(kept.size() == batch.rows ? std::move(batch) : gather(batch, kept));
  run_->held = true;
}

// False while the client takes no more.
bool TransientRun::flush() {
  if (refused_ && !resumed_.exchange(false)) return false;
  refused_ = false;
  while (!pending_.empty()) {
    if (!events_.on_rows(pending_.front())) {
      refused_ = true;
      return false;
    }
    pending_.pop_front();
  }
  if (!limit_.reached()) tell_position();
  run_->held = false;
  return true;
}

void TransientRun::after_round() {
  const MutexLock lock(events_mutex_);
  if (!ended_) look_after();
}

void TransientRun::look_after() {
  if (const auto failure = run_->last_failure()) {
    end(failure);
    return;
  }
  if (auto large = too_large()) {
    end(std::move(large));
    return;
  }
  if (!flush()) return;
  if (limit_.reached()) {
    end(std::nullopt);
  } else if (kind_ == Kind::until_end && reached_end()) {
    end(std::nullopt);
  }
}

std::optional<Error> TransientRun::too_large() {
  if (kind_ == Kind::keeping && engine_.state() != nullptr) return std::nullopt;
  const auto now = Clock::now();
  if (run_->rows_in == looked_at_ || now - last_memory_look_ < kMemoryLook) return std::nullopt;
  looked_at_ = run_->rows_in;
  last_memory_look_ = now;
  const std::size_t limit = engine_.options().transient_memory_bytes;
  std::size_t bytes = memory_log_bytes(host_->exchange(), exchanged_);
  for (const auto& [step, counters] : run_->operators)
    bytes += static_cast<std::size_t>(std::max<std::int64_t>(0, counters.state_bytes));
  if (bytes <= limit) return std::nullopt;
  return user_error(
      "the query needs more than {} MB of memory for its state: ask for less (a WHERE, a WINDOW with a RETENTION), "
      "make "
      "a table of it (CREATE TABLE ... AS SELECT), or raise millrace.push.memory.bytes",
      limit >> 20);
}

bool TransientRun::reached_end() {
  if (!host_->worker().at_rest()) return false;
  for (const auto& task : host_->worker().tasks())
    for (const auto& input : task->inputs())
      if (!input->broadcast() && (input->internal() ? !drained(*input) : !input->at_end())) return false;
  return true;
}

bool TransientRun::has_read(const KnownBounds& bounds) const {
  std::size_t reached = 0;
  for (const auto& task : host_->worker().tasks()) {
    if (!task->run_is(*run_)) continue;
    if (!host_->worker().has_committed(*task)) return false;
    for (const auto& input : task->inputs()) {
      const auto known = bounds.find(input->partition());
      if (known == bounds.end()) continue;
      if (input->has_queued() || input->has_head() || input->accepted() < known->second.end) return false;
      ++reached;
    }
  }
  return reached == bounds.size();
}

// Everything that the tasks above have committed for this input was taken.
bool TransientRun::drained(const TaskInput& input) const {
  if (input.has_queued() || input.has_head()) return false;
  auto bounds = host_->exchange().bounds(input.partition());
  return bounds && input.accepted() >= bounds->end;
}

void TransientRun::end(std::optional<Error> error) {
  ended_ = true;
  run_->held = true;  // nothing more comes of it
  host_->worker().discard(run_);
  events_.on_end(std::move(error));
}

Result<std::unique_ptr<TransientQuery>> EngineImpl::run_transient(std::shared_ptr<const PhysicalPlan> plan,
                                                                  bool until_end, TransientEvents events,
                                                                  std::vector<std::int64_t> from) {
  for (bool again = false;; again = true) {
    auto run = std::make_shared<TransientRun>(
        *this, plan, until_end ? TransientRun::Kind::until_end : TransientRun::Kind::open, events, from);
    const Status opened = run->open();
    if (opened) return std::unique_ptr<TransientQuery>(std::make_unique<TransientHandle>(std::move(run)));
    run->leave();
    if (!run->host_is_late() || again) return opened.error();
  }
}

}  // namespace millrace::inline exec
