#include "exec/runtime/pace_watch.h"

#include <spdlog/spdlog.h>

#include <limits>
#include <map>

#include "planner/types/topic_name.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kRecordsWait{5};  // for what was committed just now
constexpr std::chrono::milliseconds kReadsAtMost{50};
constexpr std::chrono::milliseconds kPause{5};    // between two looks
constexpr std::chrono::milliseconds kAgain{200};  // after the log has not answered
constexpr std::chrono::seconds kFollowsFor{60};   // after the last question
constexpr std::size_t kPaceRecordsPerPoll = 4096;

}  // namespace

PaceWatch::PaceWatch(Log& log, std::string slots_topic, std::function<Runs()> runs)
    : log_(log), slots_topic_(std::move(slots_topic)), runs_(std::move(runs)), thread_([this] { watch(); }) {}

void PaceWatch::look() {
  const MutexLock lock(mutex_);
  if (asked_) return;
  asked_ = true;
  event_.notify_one();
}

void PaceWatch::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    event_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void PaceWatch::watch() {
  while (true) {
    {
      MutexLock lock(mutex_);
      const auto woken = [&]() REQUIRES(mutex_) { return asked_ || stopping_; };
      if (reader_ != nullptr && !event_.wait_for(lock, kFollowsFor, woken)) {
        lock.unlock();
        sources_.clear();
        newest_.clear();
        reader_.reset();
        continue;
      }
      event_.wait(lock, woken);
      if (stopping_) return;
      asked_ = false;
    }
    const std::vector<Watched> watched = find_watched();
    const Status done = watched.empty() ? Status{} : look_around(watched);
    if (!done) spdlog::warn("other processes' progress: {}", done.error().message);
    MutexLock lock(mutex_);
    event_.wait_for(lock, done ? kPause : kAgain, [&]() REQUIRES(mutex_) { return stopping_; });
  }
}

std::vector<PaceWatch::Watched> PaceWatch::find_watched() {
  std::vector<Watched> watched;
  for (const auto& run : runs_()) {
    if (run->pace == nullptr || !run->pace->shared()) continue;
    for (const Pace::Elsewhere& member : run->pace->elsewhere()) {
      const bool all = run->pace->inputs(member.subtopology) == Pace::Inputs::all;
      const planner::Subtopology& subtopology = run->plan->subtopologies[member.subtopology];
      Watched& one = watched.emplace_back();
      one.run = run;
      one.member = member;
      one.slot = run->layout.slot_of(member.subtopology, member.partition);
      one.key = progress_key(*run->plan, subtopology, member.partition);
      for (const LayoutInput& input : run->layout.subtopologies[member.subtopology].inputs)
        if ((all || !input.internal) && member.partition < input.partitions)
          one.inputs.push_back({input.topic, member.partition});
    }
  }
  return watched;
}

Status PaceWatch::look_around(const std::vector<Watched>& watched) {
  if (auto done = follow(watched); !done) return done;
  if (auto done = read_records(); !done) return done;
  const auto asked = Clock::now();
  if (auto done = ask_ends(watched); !done) return done;
  for (const Watched& one : watched)
    if (auto done = tell(one, asked); !done) return done;
  for (const Watched& one : watched) one.run->pace->looked();
  return {};
}

/// Reads the slots of those who are watched, each from the start of its compacted partition.
Status PaceWatch::follow(const std::vector<Watched>& watched) {
  if (reader_ == nullptr) {
    auto reader = log_.reader("paces");
    if (!reader) return reader.error();
    reader_ = std::move(*reader);
  }
  for (const Watched& one : watched) {
    if (sources_.contains(one.slot)) continue;
    const auto source = reader_->add({slots_topic_, partition_of(one.slot)}, kOffsetBeginning);
    if (!source) return source.error();
    sources_[one.slot] = *source;
  }
  return {};
}

Status PaceWatch::read_records() {
  const auto until = Clock::now() + kReadsAtMost;
  while (Clock::now() < until) {
    auto fetch = reader_->poll(kPaceRecordsPerPoll, kRecordsWait);
    if (!fetch) return fetch.error();
    if (!*fetch) break;
    for (const RecordView& record : (*fetch)->records) {
      if (!record.key) continue;
      if (record.value) {
        newest_[std::string(*record.key)] = std::string(*record.value);
      } else {
        newest_.erase(std::string(*record.key));
      }
    }
  }
  return {};
}

Status PaceWatch::ask_ends(const std::vector<Watched>& watched) {
  ends_.clear();
  for (const Watched& one : watched)
    for (const TopicPartition& input : one.inputs) ends_[input] = 0;
  std::map<std::string_view, std::vector<TopicPartition>> by_cluster;
  for (const auto& [partition, end] : ends_) by_cluster[cluster_of(partition.topic)].push_back(partition);
  for (const auto& [cluster, partitions] : by_cluster) {
    const auto bounds = log_.bounds_of(partitions, true);
    if (!bounds && cluster.empty()) return bounds.error();
    // Of another cluster that does not tell nothing has come to its end.
    for (std::size_t i = 0; i < partitions.size(); ++i)
      ends_[partitions[i]] = bounds ? (*bounds)[i].end : std::numeric_limits<std::int64_t>::max();
  }
  return {};
}

Status PaceWatch::tell(const Watched& one, Clock::time_point asked) const {
  Progress progress;  // of one that has not been read yet, or whose partition is new: the start
  if (const auto known = newest_.find(one.key); known != newest_.end()) {
    auto decoded = decode_progress(known->second);
    if (!decoded) return decoded.error();
    progress = std::move(*decoded);
  }
  bool ended = true;
  for (const TopicPartition& input : one.inputs) ended = ended && progress.offset_of(input.topic, 0) >= ends_.at(input);
  // Earlier builds do not say where they are: nobody can wait for them.
  const std::int64_t otherwise = progress.sequence > 0 ? Pace::kNothing : Pace::kUnknown;
  one.run->pace->is_elsewhere(one.member.member, progress.pace.value_or(otherwise),
                              ended ? std::optional(asked) : std::nullopt);
  return {};
}

}  // namespace millrace::inline exec
