#include "exec/log/local/writer.h"

#include <algorithm>
#include <condition_variable>

#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kMaxBatchBytes = 128 * 1024;
constexpr std::uint32_t kMaxBatchRecords = 4096;

void note(std::vector<Writer::Appended>& list, TopicHandle topic, std::int32_t partition, std::int64_t next_offset) {
  const auto same = std::find_if(list.begin(), list.end(), [&](const Writer::Appended& entry) {
    return entry.topic == topic && entry.partition == partition;
  });
  if (same == list.end()) {
    list.push_back({topic, partition, next_offset});
  } else {
    same->next_offset = std::max(same->next_offset, next_offset);
  }
}

}  // namespace

struct LocalWriter::Commit {
  Mutex mutex;
  std::condition_variable ended;
  CommitState state;
  std::function<void()> callback;
  bool calling = false;

  bool idle() const { return state.outcome != Outcome::pending && !calling; }

  void end(const LocalTransaction& transaction, const Status& status) {
    std::function<void()> notify;
    {
      const MutexLock lock(mutex);
      if (status) {
        state.outcome = Outcome::committed;
        for (const auto& part : transaction.parts)
          if (part.tracked)
            note(state.appended, *part.tracked, part.partition->id.partition, part.batch->next_offset());
      } else {
        state.outcome = Outcome::failed;
        state.error = status.error();
        state.refused = transaction.refused;
      }
      notify = callback;
      calling = notify != nullptr;
    }
    ended.notify_all();
    if (!notify) return;
    notify();
    const MutexLock lock(mutex);
    calling = false;
    ended.notify_all();
  }
};

LocalWriter::LocalWriter(LocalLog& log, std::string id, std::shared_ptr<const std::atomic<bool>> fenced)
    : log_(log), id_(std::move(id)), fenced_(std::move(fenced)), commit_(std::make_shared<Commit>()) {}

LocalWriter::~LocalWriter() {
  MutexLock lock(commit_->mutex);
  // The callback may be about to run: its owner dies after us.
  commit_->ended.wait(lock, [&]() REQUIRES(commit_->mutex) { return commit_->idle(); });
}

Result<TopicHandle> LocalWriter::topic(const std::string& name, bool track) {
  auto topic = log_.find_topic(name);
  if (!topic) return topic.error();
  if (const auto handle = topics_.handle(name)) {
    Topic& known = *topics_.find(*handle);
    known.asked = Clock::now();
    if (known.topic == *topic) {
      known.track = known.track || track;
      return *handle;
    }
  }
  return topics_.add(name, {*topic, track, std::vector<Buffer>((*topic)->partitions.size()), Clock::now()});
}

std::size_t LocalWriter::forget_topics(Clock::time_point before) {
  return topics_.forget([&](TopicHandle handle, const Topic& topic) {
    return topic.asked < before &&
           std::ranges::none_of(touched_, [&](const auto& touched) { return touched.first == handle; });
  });
}

std::int32_t LocalWriter::partitions(TopicHandle topic) const {
  const Topic* found = topics_.find(topic);
  return found == nullptr ? 0 : static_cast<std::int32_t>(found->buffers.size());
}

Status LocalWriter::append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                           std::optional<std::string_view> value, RecordTime timestamp,
                           std::span<const HeaderView> headers) {
  Topic* known = topics_.find(topic);
  if (known == nullptr) [[unlikely]]
    return forgotten_topic();
  Topic& target = *known;
  if (static_cast<std::size_t>(partition) >= target.buffers.size()) [[unlikely]]
    return Error{Fault::bug, fmt::format("topic '{}' has no partition {}", target.topic->stored.name, partition)};
  Buffer& buffer = target.buffers[static_cast<std::size_t>(partition)];
  if (!buffer.touched) {
    buffer.touched = true;
    touched_.emplace_back(topic, partition);
  }
  const std::size_t before = buffer.open.bytes();
  buffer.open.append(key, value, timestamp, headers);
  pending_bytes_ += buffer.open.bytes() - before;
  if (buffer.open.bytes() >= kMaxBatchBytes || buffer.open.count() >= kMaxBatchRecords) [[unlikely]]
    buffer.sealed.push_back(buffer.open.seal());
  return {};
}

std::unique_ptr<LocalTransaction> LocalWriter::close_transaction() {
  auto transaction = std::make_unique<LocalTransaction>();
  transaction->fenced = fenced_;
  for (const auto& [topic, partition] : touched_) {
    Topic& target = *topics_.find(topic);
    Buffer& buffer = target.buffers[static_cast<std::size_t>(partition)];
    if (!buffer.open.empty()) buffer.sealed.push_back(buffer.open.seal());
    for (auto& batch : buffer.sealed)
      transaction->parts.push_back({target.topic->partitions[static_cast<std::size_t>(partition)], std::move(batch),
                                    target.track ? std::optional(topic) : std::nullopt});
    buffer.sealed.clear();
    buffer.touched = false;
  }
  touched_.clear();
  pending_bytes_ = 0;
  transaction->done = [commit = commit_](LocalTransaction& ended, const Status& status) { commit->end(ended, status); };
  return transaction;
}

Status LocalWriter::commit() {
  {
    MutexLock lock(commit_->mutex);
    commit_->ended.wait(lock, [&]() REQUIRES(commit_->mutex) { return commit_->state.outcome != Outcome::pending; });
    CommitState& state = commit_->state;
    if (state.outcome == Outcome::failed) {
      const Error error = *state.error;
      state = {};
      lock.unlock();
      drop_open();
      return error;
    }
    // What the commit before appended and nobody asked for is reported with this one.
    state.outcome = Outcome::pending;
  }
  log_.submit(close_transaction());
  return {};
}

Writer::CommitState LocalWriter::commit_state(std::chrono::milliseconds wait) {
  CommitState state;
  {
    MutexLock lock(commit_->mutex);
    const auto ended = [&] { return commit_->state.outcome != Outcome::pending; };
    if (wait.count() > 0) commit_->ended.wait_for(lock, wait, ended);
    if (!ended()) {
      state.outcome = Outcome::pending;
      return state;
    }
    std::swap(state, commit_->state);
  }
  if (state.outcome == Outcome::failed) drop_open();
  return state;
}

void LocalWriter::drop_open() {
  for (const auto& [topic, partition] : touched_) {
    Buffer& buffer = topics_.find(topic)->buffers[static_cast<std::size_t>(partition)];
    buffer.open.clear();
    buffer.sealed.clear();
    buffer.touched = false;
  }
  touched_.clear();
  pending_bytes_ = 0;
}

Status LocalWriter::abort() {
  drop_open();
  return {};
}

void LocalWriter::on_commit_done(std::function<void()> callback) {
  const MutexLock lock(commit_->mutex);
  commit_->callback = std::move(callback);
}

}  // namespace millrace::inline exec
