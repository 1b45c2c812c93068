#include "exec/runtime/feeds.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

// An input that stays full this long no longer holds back the others on its partition.
constexpr std::chrono::milliseconds kPatience{200};

}  // namespace

Feeds::Feed* Feeds::feed_of(const TaskInput& input) const {
  const auto found = feeds_.find(input.partition());
  return found == feeds_.end() ? nullptr : found->second.get();
}

void Feeds::attend(Feed& feed) {
  if (feed.attended) return;
  feed.attended = true;
  attention_.push_back(&feed);
}

Status Feeds::open(Feed& feed, std::int64_t offset) {
  if (feed.source >= 0) {
    by_source_.erase(feed.source);
    reader_->remove(feed.source);
    feed.source = -1;
  }
  auto source = reader_->add(feed.partition, offset);
  if (!source) return source.error();
  feed.source = *source;
  feed.position = offset;
  feed.paused = false;
  by_source_[feed.source] = &feed;
  return {};
}

Status Feeds::add(TaskInput& input) {
  auto& feed = feeds_[input.partition()];
  if (!feed) {
    feed = std::make_unique<Feed>();
    feed->partition = input.partition();
  }
  feed->members.push_back({&input});
  attend(*feed);
  if (feed->source < 0 || input.accepted() < feed->position) return open(*feed, input.accepted());
  return {};
}

void Feeds::remove(TaskInput& input) {
  const auto found = feeds_.find(input.partition());
  if (found == feeds_.end()) return;
  Feed& feed = *found->second;
  std::erase_if(feed.members, [&](const Member& member) { return member.input == &input; });
  if (!feed.members.empty()) {
    attend(feed);
    return;
  }
  if (feed.source >= 0) {
    by_source_.erase(feed.source);
    reader_->remove(feed.source);
  }
  std::erase(attention_, &feed);
  feeds_.erase(found);
}

Status Feeds::moved(TaskInput& input) {
  Feed* feed = feed_of(input);
  if (feed == nullptr) return {};
  attend(*feed);
  if (input.accepted() < feed->position || feed->source < 0) return open(*feed, input.accepted());
  return {};
}

void Feeds::exclude(TaskInput& input, bool excluded) {
  Feed* feed = feed_of(input);
  if (feed == nullptr) return;
  for (Member& member : feed->members)
    if (member.input == &input) member.excluded = excluded;
  attend(*feed);
}

Result<std::optional<Fetch>> Feeds::poll(std::size_t max_records, std::chrono::milliseconds wait) {
  return reader_->poll(max_records, wait);
}

Status Feeds::deliver(Fetch&& fetch, std::vector<TaskInput*>& takers) {
  const auto found = by_source_.find(fetch.source);
  if (found == by_source_.end()) return {};
  Feed& feed = *found->second;
  const std::int64_t begin = feed.position;
  feed.position = std::max(feed.position, fetch.next_offset);
  const auto shared = std::make_shared<const Fetch>(std::move(fetch));
  for (Member& member : feed.members) {
    TaskInput& input = *member.input;
    if (member.excluded || input.full() || input.accepted() >= shared->next_offset) continue;
    if (input.accepted() < begin) continue;  // left behind while it was full: balance() goes back for it
    input.take(shared);
    takers.push_back(&input);
  }
  attend(feed);
  return {};
}

Status Feeds::balance() {
  for (std::size_t i = 0; i < attention_.size();) {
    Feed& feed = *attention_[i];
    if (auto done = balance(feed); !done) return done;
    const bool settled = !feed.paused && std::none_of(feed.members.begin(), feed.members.end(), [&](const Member& m) {
      return !m.excluded && (m.input->full() || m.input->accepted() < feed.position);
    });
    if (settled) {
      feed.attended = false;
      attention_[i] = attention_.back();
      attention_.pop_back();
    } else {
      ++i;
    }
  }
  return {};
}

Status Feeds::balance(Feed& feed) {
  const auto now = Clock::now();
  bool wanted = false, held = false;
  std::int64_t behind = feed.position;
  for (Member& member : feed.members) {
    if (member.excluded) continue;
    if (!member.input->full()) {
      member.full_since = {};
      wanted = true;
      if (!member.input->has_queued()) behind = std::min(behind, member.input->accepted());
      continue;
    }
    if (member.full_since == Clock::time_point{}) member.full_since = now;
    held = held || now - member.full_since < kPatience;
  }
  // Someone who was full while the feed went on has drained: back to where it stopped.
  if (behind < feed.position) return open(feed, behind);
  const bool pause = !wanted || held;
  if (pause != feed.paused && feed.source >= 0) {
    feed.paused = pause;
    if (pause) {
      reader_->pause(feed.source);
    } else {
      reader_->resume(feed.source);
    }
  }
  return {};
}

bool Feeds::ended(const TaskInput& input) const {
  const Feed* feed = feed_of(input);
  if (feed == nullptr || feed->source < 0) return true;
  return input.accepted() >= feed->position && reader_->ended(feed->source);
}

void Feeds::ask_end(const TaskInput& input) {
  const Feed* feed = feed_of(input);
  if (feed != nullptr && feed->source >= 0) reader_->ask_end(feed->source);
}

std::int64_t Feeds::behind(const TaskInput& input) const {
  const Feed* feed = feed_of(input);
  if (feed == nullptr || feed->source < 0) return 0;
  return std::max<std::int64_t>(0, reader_->known_end(feed->source) - input.accepted());
}

}  // namespace millrace::inline exec
