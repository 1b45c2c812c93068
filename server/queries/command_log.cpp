#include "server/queries/command_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <thread>

#include "exec/data/wall_clock.h"
#include "exec/log/ensure_topic.h"
#include "parser/error/mutex.h"

namespace millrace::inline server {
namespace {

constexpr std::chrono::milliseconds kPoll{500};

class TopicCommandLog final : public CommandLog {
 public:
  TopicCommandLog(Log& log, std::string topic, const FunctionCatalog& functions, Events events)
      : log_(log),
        topic_(std::move(topic)),
        functions_(functions),
        events_(std::move(events)),
        state_(std::make_shared<ServiceState>()) {}

  ~TopicCommandLog() override {
    stopping_ = true;
    if (reader_) reader_->wake();
    if (thread_.joinable()) thread_.join();
  }

  Status start(const TopicConfig& shape, const std::function<void(const StatePtr&)>& replayed) {
    if (const auto found = ensure_topic(log_, topic_, shape); !found) return found.error();
    auto reader = log_.reader("commands");
    if (!reader) return reader.error();
    reader_ = std::move(*reader);
    if (auto added = reader_->add({topic_, 0}, kOffsetBeginning); !added) return added.error();
    auto bounds = log_.bounds({topic_, 0}, false);
    if (!bounds) return bounds.error();
    replaying_ = true;
    while (state()->next_sequence < bounds->end)
      if (Status polled = poll(); !polled) return polled;
    replaying_ = false;
    replayed(state());
    thread_ = std::thread([this] { run(); });
    return {};
  }

  StatePtr state() const override {
    const MutexLock lock(mutex_);
    return state_;
  }

  Result<std::optional<CommandOutcome>> submit(const Command& command, std::chrono::milliseconds wait) override {
    auto appended = log_.append_now({topic_, 0}, std::string_view(command.id),
                                    std::string_view(command_to_json(command)), wall_clock_ms());
    if (!appended) return appended.error();
    MutexLock lock(mutex_);
    applied_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return state_->next_sequence > *appended || failure_; });
    if (failure_) return external_error("the command log cannot be applied: {}", *failure_);
    auto it = outcomes_.find(*appended);
    if (it == outcomes_.end()) return std::optional<CommandOutcome>();
    CommandOutcome outcome = it->second;
    outcomes_.erase(it);
    return std::optional<CommandOutcome>(std::move(outcome));
  }

  bool wait_for(std::int64_t sequence, std::chrono::milliseconds wait) override {
    MutexLock lock(mutex_);
    return applied_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return state_->next_sequence > sequence; });
  }

  std::optional<std::string> failure() const override {
    const MutexLock lock(mutex_);
    return failure_;
  }

 private:
  void run() {
    auto pause = std::chrono::milliseconds(50);
    while (!stopping_) {
      Status polled = poll();
      if (polled) {
        pause = std::chrono::milliseconds(50);
        continue;
      }
      if (!polled.error().retriable()) return fail(polled.error().message);
      spdlog::warn("command log: {}; trying again", polled.error().message);
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::milliseconds(2000));
    }
  }

  void fail(const std::string& message) {
    spdlog::error("command log: {}", message);
    const MutexLock lock(mutex_);
    failure_ = message;
    applied_.notify_all();
  }

  Status poll() {
    auto fetch = reader_->poll(kMaxFetch, kPoll);
    if (!fetch) return fetch.error();
    if (!*fetch) return {};
    for (const RecordView& record : (*fetch)->records)
      if (Status done = apply_record(record); !done) return done;
    const MutexLock lock(mutex_);
    if ((*fetch)->next_offset > state_->next_sequence) {
      auto moved = std::make_shared<ServiceState>(*state_);
      moved->next_sequence = (*fetch)->next_offset;
      state_ = std::move(moved);
    }
    applied_.notify_all();
    return {};
  }

  Status apply_record(const RecordView& record) {
    CommandOutcome outcome{record.offset, false, std::nullopt};
    auto next = std::make_shared<ServiceState>(*state());
    next->next_sequence = record.offset + 1;
    try {
      const Command command = command_from_json(record.value.value_or("null"), functions_);
      outcome.stale = command.version != next->catalog.version;
      if (!outcome.stale) {
        for (const auto& [name, reason] : command.unreadable)
          spdlog::error("command {}: {} is not available: {}", record.offset, name, reason);
        apply(*next, command);
        publish(next, std::nullopt);
        if (!replaying_ && events_.applied) events_.applied(command, next);
      }
    } catch (const std::exception& error) {
      // Nobody can tell what it was about; the others stand for themselves.
      spdlog::error("command {} cannot be read: {}", record.offset, error.what());
      next = std::make_shared<ServiceState>(*state());
      next->next_sequence = record.offset + 1;
      outcome.error = external_error("command {} cannot be read: {}", record.offset, error.what());
    }
    publish(next, outcome);
    return {};
  }

  void publish(std::shared_ptr<const ServiceState> state, std::optional<CommandOutcome> outcome) {
    const MutexLock lock(mutex_);
    const bool done = outcome.has_value();
    if (done && !replaying_) outcomes_[outcome->sequence] = std::move(*outcome);
    // Waiters look at next_sequence: it moves only when everything that follows from the command is done.
    if (!done) {
      auto early = std::make_shared<ServiceState>(*state);
      early->next_sequence = state_->next_sequence;
      state = std::move(early);
    }
    state_ = std::move(state);
    while (outcomes_.size() > kKeptOutcomes) outcomes_.erase(outcomes_.begin());
    if (done) applied_.notify_all();
  }

  static constexpr std::size_t kMaxFetch = 1000;
  static constexpr std::size_t kKeptOutcomes = 1000;

  Log& log_;
  const std::string topic_;
  const FunctionCatalog& functions_;
  Events events_;
  std::unique_ptr<Reader> reader_;
  bool replaying_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;

  mutable Mutex mutex_;
  std::condition_variable applied_;
  std::shared_ptr<const ServiceState> state_ GUARDED_BY(mutex_);
  std::map<std::int64_t, CommandOutcome> outcomes_ GUARDED_BY(mutex_);  // of recent commands, whoever submitted them
  std::optional<std::string> failure_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<CommandLog>> CommandLog::open(Log& log, const std::string& service_id, int replicas,
                                                     std::optional<int> min_insync, const FunctionCatalog& functions,
                                                     const std::function<void(const StatePtr&)>& replayed,
                                                     Events events) {
  auto opened = std::make_unique<TopicCommandLog>(log, fmt::format("_confluent-ksql-{}_command_topic", service_id),
                                                  functions, std::move(events));
  const TopicConfig shape{.partitions = 1, .replicas = replicas, .retention_ms = -1, .min_insync_replicas = min_insync};
  if (Status started = opened->start(shape, replayed); !started) return started.error();
  return std::unique_ptr<CommandLog>(std::move(opened));
}

}  // namespace millrace::inline server
