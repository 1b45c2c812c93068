#include "exec/runtime/feeds.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace millrace::inline exec {
namespace {

// An input that stays full this long no longer holds back the others on its partition.
constexpr std::chrono::milliseconds kPatience{200};
// Whoever is no further behind goes along with the others, who read so much again in milliseconds.
constexpr std::int64_t kNear = 4096;
constexpr std::size_t kReadersBehind = 3;
constexpr std::chrono::milliseconds kOpenAgain{500};
// Of what is known of partitions that are opened soon.
constexpr std::chrono::seconds kExpectationHolds{10};

}  // namespace

Feeds::Feeds(std::unique_ptr<Reader> front, OpenReader open) : open_reader_(std::move(open)), front_(front.get()) {
  lines_.emplace_back();
  lines_.front().reader = std::move(front);
  if (open_reader_) lines_.front().reader->report_removed();
}

Feeds::Feed* Feeds::feed_of(const TaskInput& input) const {
  const auto found = home_.find(&input);
  return found == home_.end() ? nullptr : found->second;
}

void Feeds::attend(Feed& feed) {
  if (feed.attended) return;
  feed.attended = true;
  attention_.push_back(&feed);
}

Status Feeds::open(Feed& feed, std::int64_t offset) {
  close(feed);
  feed.position = offset;
  const auto known = expected_.find(feed.partition);
  const bool fresh = known != expected_.end() && Clock::now() - expected_since_ < kExpectationHolds;
  auto source = reader_of(feed).add(feed.partition, offset, fresh ? &known->second : nullptr);
  if (!source) return source.error();
  feed.source = *source;
  feed.fresh = true;
  feed.paused = false;
  lines_[feed.line].by_source[feed.source] = &feed;
  if (const std::int64_t skipped = reader_of(feed).skipped(feed.source); skipped > 0) tell_lost(feed, offset + skipped);
  return {};
}

void Feeds::tell_lost(const Feed& feed, std::int64_t begin) {
  for (const Member& member : feed.members) {
    const std::int64_t wanted = member.input->accepted();
    if (member.excluded || !member.input->strict() || wanted >= begin) continue;
    broken_.push_back({member.input, user_error("topic '{}' partition {}: offsets {} to {} were removed before they "
                                                "were read",
                                                feed.partition.topic, feed.partition.partition, wanted, begin - 1)});
  }
}

void Feeds::tell_other(TaskInput& input) {
  const auto& [topic, partition] = input.partition();
  broken_.push_back({&input,
                     user_error("topic '{}' partition {} is not the one that was read before: offset {} holds another "
                                "record now (the topic was made anew, or lost its end), so offset {} means nothing",
                                topic, partition, input.witness().offset, input.accepted()),
                     true});
}

void Feeds::close(Feed& feed) {
  if (feed.source == kNoRead) return;
  lines_[feed.line].by_source.erase(feed.source);
  reader_of(feed).remove(feed.source);
  feed.source = kNoRead;
}

// What the log does not let us read belongs to those who want it; when it only did not answer, it is asked again.
void Feeds::failed(Feed& feed, const Error& error) {
  close(feed);
  feed.open_again = Clock::now() + kOpenAgain;
  attend(feed);
  if (error.retriable()) {
    // That a cluster is away has been told where it was noticed.
    const auto level = error.fault == Fault::unavailable ? spdlog::level::debug : spdlog::level::warn;
    spdlog::log(level, "topic '{}' partition {}: {}; trying again", feed.partition.topic, feed.partition.partition,
                error.message);
    return;
  }
  for (const Member& member : feed.members) broken_.push_back({member.input, error});
}

void Feeds::reopen(Feed& feed, std::int64_t offset) {
  if (auto opened = open(feed, offset); !opened) failed(feed, opened.error());
}

std::vector<Feeds::Broken> Feeds::take_broken() {
  return std::exchange(broken_, {});
}

Feeds::Feed& Feeds::make_feed(const TopicPartition& partition, std::size_t line) {
  FeedList& list = feeds_[partition];
  auto feed = std::make_unique<Feed>();
  feed->partition = partition;
  feed->line = line;
  ++lines_[line].feeds;
  return **list.insert(line == 0 ? list.begin() : list.end(), std::move(feed));
}

void Feeds::join(Feed& feed, Member member) {
  home_[member.input] = &feed;
  feed.members.push_back(member);
  attend(feed);
}

Feeds::Member Feeds::leave(Feed& feed, const TaskInput& input) {
  const auto found = std::find_if(feed.members.begin(), feed.members.end(),
                                  [&](const Member& member) { return member.input == &input; });
  const Member member = *found;
  feed.members.erase(found);
  home_.erase(&input);
  attend(feed);
  return member;
}

void Feeds::erase_if_empty(Feed& feed) {
  if (!feed.members.empty()) return;
  close(feed);
  std::erase(attention_, &feed);
  const std::size_t line = feed.line;
  const auto list = feeds_.find(feed.partition);
  std::erase_if(list->second, [&](const auto& one) { return one.get() == &feed; });
  if (list->second.empty()) feeds_.erase(list);
  // A reader is a client of the log: it costs memory and connections.
  if (--lines_[line].feeds == 0 && line > 0) lines_[line].reader.reset();
}

/// A line that does not read this partition yet.
std::optional<std::size_t> Feeds::free_line(const FeedList& list) {
  if (!open_reader_) return std::nullopt;
  for (std::size_t line = 1; line <= kReadersBehind; ++line) {
    const bool used = std::any_of(list.begin(), list.end(), [&](const auto& feed) { return feed->line == line; });
    if (used) continue;
    if (line == lines_.size()) lines_.emplace_back();
    if (!lines_[line].reader) {
      auto reader = open_reader_(static_cast<int>(line));
      if (!reader) {
        spdlog::warn("no reader for those behind: {}", reader.error().message);
        return std::nullopt;
      }
      lines_[line].reader = std::move(*reader);
      lines_[line].reader->report_removed();
    }
    return line;
  }
  return std::nullopt;
}

/// The front feed makes room for an input far ahead of it.
Status Feeds::step_back(Feed& front) {
  const auto line = free_line(feeds_[front.partition]);
  if (!line) return {};
  close(front);
  --lines_[front.line].feeds;
  front.line = *line;
  ++lines_[front.line].feeds;
  FeedList& list = feeds_[front.partition];
  std::rotate(list.begin(), list.begin() + 1, list.end());
  return open(front, front.position);
}

void Feeds::expect(std::map<TopicPartition, LogBounds> bounds) {
  expected_ = std::move(bounds);
  expected_since_ = Clock::now();
}

Status Feeds::add(TaskInput& input) {
  auto placed = place({&input, false, {}});
  if (placed) return placed;
  Feed* feed = feed_of(input);
  if (feed == nullptr || !placed.error().retriable()) {
    if (feed != nullptr) remove(input);
    return placed;
  }
  failed(*feed, placed.error());
  return {};
}

Status Feeds::place(Member member) {
  const std::int64_t wanted = member.input->wanted();
  const TopicPartition partition = member.input->partition();
  FeedList& list = feeds_[partition];
  for (const auto& feed : list) {
    const bool near =
        feed->position <= wanted ? wanted - feed->position <= kNear : feed->fresh && feed->position - wanted <= kNear;
    if (!near) continue;
    join(*feed, member);
    return feed->position > wanted ? open(*feed, wanted) : Status{};
  }
  if (!list.empty() && list.front()->line == 0) {
    Feed& front = *list.front();
    if (front.position > wanted) return place_behind(member, list);
    if (auto stepped = step_back(front); !stepped) failed(front, stepped.error());
    if (front.line == 0) {
      join(front, member);
      return {};
    }
  }
  Feed& feed = make_feed(partition, 0);
  join(feed, member);
  return open(feed, wanted);
}

Status Feeds::place_behind(Member member, FeedList& list) {
  const std::int64_t wanted = member.input->wanted();
  if (const auto line = free_line(list)) {
    Feed& feed = make_feed(member.input->partition(), *line);
    join(feed, member);
    return open(feed, wanted);
  }
  // The hindmost goes back further.
  const auto position = [](const auto& a, const auto& b) { return a->position < b->position; };
  Feed& feed = **std::min_element(list.begin(), list.end(), position);
  join(feed, member);
  return wanted < feed.position ? open(feed, wanted) : Status{};
}

void Feeds::remove(TaskInput& input) {
  Feed* feed = feed_of(input);
  if (feed == nullptr) return;
  std::erase_if(broken_, [&](const Broken& broken) { return broken.input == &input; });
  leave(*feed, input);
  erase_if_empty(*feed);
}

void Feeds::rewind() {
  for (auto& [partition, list] : feeds_) {
    for (const auto& feed : list) {
      std::int64_t first = feed->position;
      for (const Member& member : feed->members)
        if (!member.excluded) first = std::min(first, member.input->accepted());
      if (first < feed->position) reopen(*feed, first);
      attend(*feed);
    }
  }
}

void Feeds::exclude(TaskInput& input, bool excluded) {
  Feed* feed = feed_of(input);
  if (feed == nullptr) return;
  const bool unread = std::all_of(feed->members.begin(), feed->members.end(), [](const auto& m) { return m.excluded; });
  for (Member& member : feed->members)
    if (member.input == &input) member.excluded = excluded;
  if (unread && !excluded) {  // nobody would have noticed what became of the partition
    input.doubt();
    reopen(*feed, input.wanted());
  }
  attend(*feed);
}

Result<std::optional<Fetch>> Feeds::poll(std::size_t line, std::size_t max_records, std::chrono::milliseconds wait) {
  Reader& reader = *lines_[line].reader;
  polled_line_ = line;
  auto fetch = reader.poll(max_records, wait);
  if (fetch || reader.at_fault() == kNoRead) return fetch;
  const auto found = lines_[line].by_source.find(reader.at_fault());
  if (found != lines_[line].by_source.end()) failed(*found->second, fetch.error());
  return std::optional<Fetch>{};
}

Result<std::optional<Fetch>> Feeds::poll_front(std::size_t max_records, std::chrono::milliseconds wait) {
  return poll(0, max_records, wait);
}

Result<std::optional<Fetch>> Feeds::poll_behind(std::size_t max_records, std::chrono::milliseconds wait) {
  for (std::size_t tried = 1; tried < lines_.size(); ++tried) {
    next_behind_ = next_behind_ + 1 < lines_.size() ? next_behind_ + 1 : 1;
    if (lines_[next_behind_].by_source.empty()) continue;
    auto fetch = poll(next_behind_, max_records, wait);
    if (!fetch || *fetch) return fetch;
  }
  return std::optional<Fetch>{};
}

void Feeds::deliver(Fetch&& fetch, std::vector<TaskInput*>& takers) {
  auto& by_source = lines_[polled_line_].by_source;
  const auto found = by_source.find(fetch.source);
  if (found == by_source.end()) return;
  Feed& feed = *found->second;
  const std::int64_t begin = feed.position;
  feed.fresh = false;
  feed.position = std::max(feed.position, fetch.next_offset);
  const auto arrival = std::make_shared<Arrival>(Arrival{.fetch = std::move(fetch), .read = Clock::now()});
  for (Member& member : feed.members) {
    TaskInput& input = *member.input;
    if (member.excluded) continue;
    if (!input.recognizes(arrival->fetch)) {
      tell_other(input);
      continue;
    }
    if (input.full() || input.accepted() >= arrival->fetch.next_offset) continue;
    if (input.accepted() < begin) continue;  // left behind while it was full: balance() goes back for it
    input.take(arrival);
    ++arrival->takers;
    takers.push_back(&input);
  }
  attend(feed);
}

void Feeds::balance() {
  // What balancing one feed asks of others is seen to in the next round.
  const std::vector<Feed*> now = std::exchange(attention_, {});
  for (Feed* feed : now) feed->attended = false;
  for (Feed* feed : now) {
    balance(*feed);
    if (!feed->members.empty() && !settled(*feed)) attend(*feed);
  }
  for (Feed* feed : now) erase_if_empty(*feed);
}

bool Feeds::settled(const Feed& feed) const {
  return feed.source != kNoRead && feed.line == 0 && !feed.paused &&
         std::none_of(feed.members.begin(), feed.members.end(), [&](const Member& m) {
           return !m.excluded && (m.input->full() || m.input->accepted() < feed.position);
         });
}

void Feeds::balance(Feed& feed) {
  if (feed.source == kNoRead && Clock::now() >= feed.open_again && !feed.members.empty()) reopen(feed, feed.position);
  part(feed);
  if (feed.line > 0) meet(feed);
  pause_if_full(feed);
}

// Someone who was full or excluded while the feed went on is ready for more: back to where it stopped, without those
// who are in front.
void Feeds::part(Feed& feed) {
  std::vector<TaskInput*> left;
  bool somebody_in_front = false;
  for (const Member& member : feed.members) {
    if (member.excluded) continue;
    const TaskInput& input = *member.input;
    if (input.accepted() >= feed.position) somebody_in_front = true;
    if (input.accepted() < feed.position && !input.full() && !input.has_queued()) left.push_back(member.input);
  }
  if (left.empty()) return;
  const auto first = std::min_element(
      left.begin(), left.end(), [](const TaskInput* a, const TaskInput* b) { return a->accepted() < b->accepted(); });
  const bool far = feed.position - (*first)->accepted() > kNear;
  if (!somebody_in_front || !far || !open_reader_) return reopen(feed, (*first)->accepted());
  for (TaskInput* input : left) {
    const Member member = leave(feed, *input);
    if (auto placed = place(member); !placed) failed(*feed_of(*input), placed.error());
  }
}

void Feeds::meet(Feed& feed) {
  Feed& front = *feeds_[feed.partition].front();
  if (front.line == 0) {
    for (std::size_t i = 0; i < feed.members.size();) {
      TaskInput& input = *feed.members[i].input;
      if (front.source == kNoRead || input.accepted() < front.position) {
        ++i;
        continue;
      }
      join(front, leave(feed, input));
    }
    return;
  }
  // Nobody is in front any more.
  if (feed.members.empty()) return;
  const std::vector<Member> members = feed.members;
  Feed& made = make_feed(feed.partition, 0);
  for (const Member& member : members) join(made, leave(feed, *member.input));
  reopen(made, feed.position);
}

void Feeds::pause_if_full(Feed& feed) {
  if (feed.source == kNoRead) return;
  const auto now = Clock::now();
  bool wanted = false, held = false;
  for (Member& member : feed.members) {
    if (member.excluded) continue;
    if (!member.input->full()) {
      member.full_since = {};
      wanted = true;
      continue;
    }
    if (member.full_since == Clock::time_point{}) member.full_since = now;
    held = held || now - member.full_since < kPatience;
  }
  const bool pause = !wanted || held;
  if (pause == feed.paused) return;
  feed.paused = pause;
  if (pause) {
    reader_of(feed).pause(feed.source);
  } else {
    reader_of(feed).resume(feed.source);
  }
}

bool Feeds::ended(const TaskInput& input, Clock::time_point since) const {
  const Feed* feed = feed_of(input);
  if (feed == nullptr) return true;
  return feed->source != kNoRead && input.accepted() >= feed->position && reader_of(*feed).ended(feed->source, since);
}

void Feeds::ask_end(const TaskInput& input) {
  const Feed* feed = feed_of(input);
  if (feed != nullptr && feed->source != kNoRead) reader_of(*feed).ask_end(feed->source);
}

std::optional<std::int64_t> Feeds::behind(const TaskInput& input) const {
  const Feed* feed = feed_of(input);
  if (feed == nullptr) return 0;
  if (feed->source == kNoRead) return std::nullopt;
  return std::max<std::int64_t>(0, reader_of(*feed).known_end(feed->source) - input.accepted());
}

bool Feeds::catching_up(const TaskInput& input) const {
  const Feed* feed = feed_of(input);
  return feed != nullptr && feed->line > 0;
}

bool Feeds::any_behind() const {
  return std::any_of(lines_.begin() + 1, lines_.end(), [](const Line& line) { return line.feeds > 0; });
}

}  // namespace millrace::inline exec
