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
// Whoever submits several commands appends them one right after the other, unless it has died meanwhile.
constexpr std::chrono::milliseconds kFollowersWait{1000}, kFollowersPoll{50};

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
    awaited_ = 0;
    replayed(state());
    thread_ = std::thread([this] { run(); });
    return {};
  }

  StatePtr state() const override {
    const MutexLock lock(mutex_);
    return state_;
  }

  Submitted submit(std::vector<Command> commands, std::chrono::milliseconds wait) override {
    Submitted submitted;
    std::vector<std::int64_t> sequences;
    for (std::size_t i = 0; i < commands.size() && !submitted.error; ++i) {
      commands[i].followers = static_cast<std::uint32_t>(commands.size() - 1 - i);
      auto appended = log_.append_now({topic_, 0}, std::string_view(commands[i].id),
                                      std::string_view(command_to_json(commands[i])), RecordTime{wall_clock_ms()});
      if (appended) {
        sequences.push_back(*appended);
      } else {
        submitted.error = appended.error();
      }
    }
    if (sequences.empty()) return submitted;
    MutexLock lock(mutex_);
    applied_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return done_ > sequences.back() || failure_; });
    if (failure_) return {{}, external_error("the command log cannot be applied: {}", *failure_)};
    for (const std::int64_t sequence : sequences) {
      auto found = outcomes_.extract(sequence);
      submitted.outcomes.push_back(found ? std::optional(std::move(found.mapped())) : std::nullopt);
    }
    return submitted;
  }

  bool wait_for(std::int64_t sequence, std::chrono::milliseconds wait) override {
    MutexLock lock(mutex_);
    return applied_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return done_ > sequence; });
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
    auto fetch = reader_->poll(kMaxFetch, applying_.empty() ? kPoll : kFollowersPoll);
    if (fetch && *fetch) {
      for (const RecordView& record : (*fetch)->records) apply_record(record);
      move_on((*fetch)->next_offset);
    }
    if (!applying_.empty() && (awaited_ == 0 || Clock::now() >= await_until_)) finish();
    if (!fetch) return fetch.error();
    return {};
  }

  void apply_record(const RecordView& record) {
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
        if (!replaying_) accepted_.push_back(command);
      }
      awaited_ = std::max(command.followers, awaited_ > 0 ? awaited_ - 1 : 0);
    } catch (const std::exception& error) {
      // Nobody can tell what it was about; the others stand for themselves.
      spdlog::error("command {} cannot be read: {}", record.offset, error.what());
      next = std::make_shared<ServiceState>(*state());
      next->next_sequence = record.offset + 1;
      outcome.error = external_error("command {} cannot be read: {}", record.offset, error.what());
    }
    {
      const MutexLock lock(mutex_);
      state_ = std::move(next);
    }
    if (replaying_) return;
    await_until_ = Clock::now() + kFollowersWait;
    applying_.push_back(std::move(outcome));
  }

  // Offsets that hold no commands.
  void move_on(std::int64_t next) {
    const MutexLock lock(mutex_);
    if (next > state_->next_sequence) {
      auto moved = std::make_shared<ServiceState>(*state_);
      moved->next_sequence = next;
      state_ = std::move(moved);
    }
    if (applying_.empty()) done_ = state_->next_sequence;
    applied_.notify_all();
  }

  // What follows from the commands, then those who wait for them.
  void finish() {
    std::string unfinished;
    try {
      if (events_.applied && !accepted_.empty()) unfinished = events_.applied(accepted_);
    } catch (const std::exception& error) {
      spdlog::error("command log: {}", error.what());
    }
    const MutexLock lock(mutex_);
    for (CommandOutcome& outcome : applying_) {
      outcome.unfinished = unfinished;
      outcomes_[outcome.sequence] = std::move(outcome);
    }
    while (outcomes_.size() > kKeptOutcomes) outcomes_.erase(outcomes_.begin());
    accepted_.clear();
    applying_.clear();
    awaited_ = 0;
    done_ = state_->next_sequence;
    applied_.notify_all();
  }

  static constexpr std::size_t kMaxFetch = 1000;
  static constexpr std::size_t kKeptOutcomes = 1000;

  Log& log_;
  const std::string topic_;
  const FunctionCatalog& functions_;
  Events events_;
  std::unique_ptr<Reader> reader_;
  bool replaying_ = false;
  // Of the log's thread: commands that are in the state, and what they start has not been started.
  std::vector<Command> accepted_;
  std::vector<CommandOutcome> applying_;
  std::uint32_t awaited_ = 0;  // commands that were submitted with them
  Clock::time_point await_until_{};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;

  mutable Mutex mutex_;
  std::condition_variable applied_;
  std::shared_ptr<const ServiceState> state_ GUARDED_BY(mutex_);
  std::int64_t done_ GUARDED_BY(mutex_) = 0;  // everything that follows from the commands before it is done
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
