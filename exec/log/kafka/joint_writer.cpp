#include "exec/log/kafka/joint_writer.h"

#include <algorithm>

#include "exec/log/failpoint.h"
#include "exec/log/kafka/log.h"
#include "exec/log/writer_topics.h"
#include "planner/types/topic_name.h"

namespace millrace::inline exec {
namespace {

using namespace std::chrono_literals;

// Less than the shortest transaction timeout: the one in the cluster with the progress stays open meanwhile.
constexpr auto kOthersWait = 5s;
constexpr auto kStateLook = 1s;
constexpr std::int32_t kOthers = 1 << 30;  // handles from here on are of topics in other clusters

}  // namespace

JointWriter::JointWriter(KafkaLog& log, std::string id, std::unique_ptr<KafkaWriter> home)
    : log_(log), id_(std::move(id)), link_(std::make_shared<Link>()), home_(std::move(home)) {
  {
    const MutexLock lock(link_->mutex);
    link_->writer = this;
  }
  home_->before_end([link = link_]() -> Status {
    const MutexLock lock(link->mutex);
    if (link->writer == nullptr) return external_error("the writer is no more");
    return link->writer->others_end();
  });
}

JointWriter::~JointWriter() {
  for (const auto& [cluster, other] : others_)
    if (other.writer && under_way_) other.writer->give_up();
  const MutexLock lock(link_->mutex);
  link_->writer = nullptr;
}

JointWriter::Topic* JointWriter::find(TopicHandle handle) {
  const auto at = static_cast<std::size_t>(static_cast<std::int32_t>(handle) - kOthers);
  return at < topics_.size() && topics_[at].handle ? &topics_[at] : nullptr;
}
const JointWriter::Topic* JointWriter::find(TopicHandle handle) const {
  return const_cast<JointWriter*>(this)->find(handle);
}

Result<TopicHandle> JointWriter::topic(const std::string& name, bool track) {
  if (cluster_of(name).empty()) return home_->topic(name, track);
  auto opened = open_topic(name);
  if (!opened) return opened.error();
  Topic& topic = **opened;
  const auto handle = topic.other->writer->topic(std::string(split_topic(name).name), track);
  if (!handle) return topic.other->cluster->told(handle.error());
  topic.handle = *handle;
  topic.wanted = Clock::now();
  return TopicHandle{kOthers + static_cast<std::int32_t>(by_name_.at(name))};
}

/// Its writer is there.
Result<JointWriter::Topic*> JointWriter::open_topic(const std::string& name) {
  const auto place = log_.place_of(name);
  if (!place) return place.error();
  Other& other = others_.try_emplace(place->cluster, Other{place->cluster}).first->second;
  if (!other.writer) {
    // By another id: two names may be of one cluster, or of this one.
    auto made = KafkaWriter::make(*place->cluster, fmt::format("{}@{}", id_, place->cluster->name()), nullptr);
    if (!made) return place->cluster->told(made.error());
    other.writer = std::move(*made);
  }
  const auto [known, is_new] = by_name_.try_emplace(name, topics_.size());
  if (is_new) topics_.push_back({name, &other});
  return &topics_[known->second];
}

std::size_t JointWriter::forget_topics(Clock::time_point before) {
  std::size_t left = home_->forget_topics(before);
  for (auto& [cluster, other] : others_)
    if (other.writer) left += other.writer->forget_topics(before);
  for (Topic& topic : topics_)
    if (topic.wanted < before && topic.written.empty()) topic.handle.reset();
  return left;
}

std::int32_t JointWriter::partitions(TopicHandle handle) const {
  if (static_cast<std::int32_t>(handle) < kOthers) return home_->partitions(handle);
  const Topic* topic = find(handle);
  return topic == nullptr ? 0 : topic->other->writer->partitions(*topic->handle);
}

Status JointWriter::refresh(TopicHandle handle) {
  if (static_cast<std::int32_t>(handle) < kOthers) return home_->refresh(handle);
  Topic* topic = find(handle);
  if (topic == nullptr) return forgotten_topic();
  Status done = topic->other->writer->refresh(*topic->handle);
  return done ? done : topic->other->cluster->told(done.error());
}

Status JointWriter::append(TopicHandle handle, std::int32_t partition, std::optional<std::string_view> key,
                           std::optional<std::string_view> value, RecordTime timestamp,
                           std::span<const HeaderView> headers) {
  if (static_cast<std::int32_t>(handle) < kOthers) [[likely]]
    return home_->append(handle, partition, key, value, timestamp, headers);
  Topic* topic = find(handle);
  if (topic == nullptr) return forgotten_topic();
  if (topic->written.size() <= static_cast<std::size_t>(partition))
    topic->written.resize(static_cast<std::size_t>(partition) + 1);
  topic->written[static_cast<std::size_t>(partition)] = true;
  Status done = topic->other->writer->append(*topic->handle, partition, key, value, timestamp, headers);
  return done ? done : topic->other->cluster->told(done.error());
}

std::size_t JointWriter::pending_bytes() const {
  std::size_t bytes = home_->pending_bytes();
  for (const auto& [cluster, other] : others_)
    if (other.writer) bytes += other.writer->pending_bytes();
  return bytes;
}

std::vector<TopicPartition> JointWriter::take_written(const Other& other) {
  std::vector<TopicPartition> all;
  for (Topic& topic : topics_) {
    if (topic.other != &other) continue;
    for (std::size_t partition = 0; partition < topic.written.size(); ++partition)
      if (topic.written[partition]) all.push_back({topic.name, static_cast<std::int32_t>(partition)});
    topic.written.clear();
  }
  return all;
}

Status JointWriter::commit() {
  while (under_way_) {
    CommitState before = commit_state(kStateLook);
    if (before.outcome == Outcome::failed) return *before.error;
    appended_ = std::move(before.appended);
  }
  close_others();
  Status begun = home_->commit();
  under_way_ = begun.has_value();
  return begun;
}

void JointWriter::close_others() {
  waits_for_.clear();
  could_not_begin_.reset();
  for (auto& [cluster, other] : others_) {
    if (!other.writer) continue;
    other.closed = take_written(other);
    if (other.closed.empty() || could_not_begin_) continue;
    if (Status begun = other.writer->commit(); !begun) {
      could_not_begin_ = cluster->told(begun.error());
    } else {
      other.under_way = true;
    }
    waits_for_.push_back(&other);
  }
}

/// On home's thread.
Status JointWriter::others_end() {
  if (could_not_begin_) return *could_not_begin_;
  const auto until = Clock::now() + kOthersWait;
  Status all;
  for (Other* other : waits_for_) {
    const Outcome outcome = other->writer->outcome_by(until);
    other->late = outcome == Outcome::pending;
    if (other->late) other->writer->give_up();
    if (outcome != Outcome::committed) all = other->cluster->told(external_error("its part of a commit failed"));
  }
  if (!all || waits_for_.empty()) return all;
  return failpoint::hit(failpoint::kOthersEnded);
}

Writer::CommitState JointWriter::commit_state(std::chrono::milliseconds wait) {
  CommitState state = home_->commit_state(wait);
  if (state.outcome == Outcome::pending) return state;
  under_way_ = false;
  settle(state);
  if (state.outcome != Outcome::committed) return state;
  appended_.insert(appended_.end(), state.appended.begin(), state.appended.end());
  state.appended = std::exchange(appended_, {});
  return state;
}

/// What became of the others' parts, now that home's has ended.
void JointWriter::settle(CommitState& state) {
  const bool failed = state.outcome == Outcome::failed;
  for (auto& [cluster, other] : others_) {
    if (!other.writer) continue;
    if (failed && std::ranges::find(waits_for_, &other) != waits_for_.end()) blame(other, state);
    if (other.under_way && other.writer) static_cast<void>(other.writer->commit_state(0ms));
    other.under_way = false;
    if (failed && other.writer && !other.writer->abort()) let_go(other);
    if (failed) static_cast<void>(take_written(other));
    other.closed.clear();
  }
  waits_for_.clear();
  if (failed) appended_.clear();
}

void JointWriter::blame(Other& other, CommitState& state) {
  std::optional<Error> why = could_not_begin_;
  std::vector<TopicPartition> refused;
  if (other.under_way) {
    CommitState its = other.writer->commit_state(0ms);
    other.under_way = false;
    if (its.outcome == Outcome::committed) return;
    if (other.late || !its.error)
      why = external_error("a transaction did not end within {} s",
                           std::chrono::duration_cast<std::chrono::seconds>(kOthersWait).count());
    else
      why = std::move(its.error);
    for (TopicPartition& where : its.refused)
      refused.push_back({topic_in(other.cluster->name(), where.topic), where.partition});
    if (std::exchange(other.late, false) || why->fault == Fault::fenced) let_go(other);
  }
  if (!why || (state.error && state.error->fault == Fault::fenced)) return;
  if (refused.empty()) refused = other.closed;
  const auto& [topic, partition] = refused.front();
  why->message = fmt::format("{} (it was to take what goes to topic '{}' partition {}{})", why->message, topic,
                             partition, refused.size() > 1 ? fmt::format(" and {} more", refused.size() - 1) : "");
  state.error = other.cluster->told(*why);
  state.refused.insert(state.refused.end(), refused.begin(), refused.end());
}

/// Its outcome does not matter any more; a new writer ends what it left.
void JointWriter::let_go(Other& other) {
  for (Topic& topic : topics_)
    if (topic.other == &other) topic.handle.reset();
  if (other.writer) other.writer->give_up();
  other.writer.reset();
}

Status JointWriter::abort() {
  Status aborted = home_->abort();
  for (auto& [cluster, other] : others_) {
    if (!other.writer) continue;
    static_cast<void>(take_written(other));
    if (!other.writer->abort()) let_go(other);
  }
  return aborted;
}

void JointWriter::on_commit_done(std::function<void()> callback) {
  home_->on_commit_done(std::move(callback));
}

}  // namespace millrace::inline exec
