#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/task_input.h"

namespace millrace::inline exec {

/// What a worker reads: a partition is fetched once for all inputs that stand at about the same place. The inputs in
/// front of a partition share its front feed; whoever stands far behind them (a new query from the start, a resumed
/// one, one that failed and starts again) reads apart, through one of a few readers of their own, until it meets the
/// front. So nobody in front waits for what it has read already. One thread, but for wake().
class Feeds {
 public:
  using OpenReader = std::function<Result<std::unique_ptr<Reader>>(int number)>;
  /// `front`: reads the front feeds. `open` makes readers for those behind, numbered from 1; null: they go back
  /// together with those in front.
  explicit Feeds(std::unique_ptr<Reader> front, OpenReader open = nullptr);

  /// What a committed reader saw of partitions just now, whose inputs are added soon: the log is not asked again.
  void expect(std::map<TopicPartition, LogBounds> bounds);
  /// Starts giving records to `input` from its accepted() on. The input must be removed before it dies.
  Status add(TaskInput& input);
  void remove(TaskInput& input);
  /// After seek() of any number of inputs: every feed goes back to the first record that one of its inputs needs.
  void rewind();
  /// An excluded input takes nothing and holds nobody up (paused queries).
  void exclude(TaskInput& input, bool excluded);

  /// Next records of some partition, not yet given out: of the front feeds, or of those behind.
  Result<std::optional<Fetch>> poll_front(std::size_t max_records, std::chrono::milliseconds wait);
  Result<std::optional<Fetch>> poll_behind(std::size_t max_records, std::chrono::milliseconds wait);
  /// Gives what was polled last to every input that waits for it. The inputs that took something are appended to
  /// `takers`.
  void deliver(Fetch&& fetch, std::vector<TaskInput*>& takers);
  /// Pauses feeds whose takers are full, wakes those that have drained, parts inputs from those in front of them and
  /// brings them together again.
  void balance();
  /// Inputs whose partition can no longer be read, and why; each is told once. Theirs is to be removed.
  struct Broken {
    TaskInput* input;
    Error error;
    bool other = false;  // it is not the partition that the input has read
  };
  std::vector<Broken> take_broken();
  bool any_broken() const { return !broken_.empty(); }

  /// Whether committed records lie in the log that `input` has not accepted, as far as the reader can guess.
  bool has_more(const TaskInput& input) const { return behind(input).value_or(1) > 0; }
  /// True once the log has told that it holds nothing more for `input`, and that this was so at `since`
  /// or later.
  bool ended(const TaskInput& input, Clock::time_point since = {}) const;
  /// Has the log asked about that; its answer ends a poll under way.
  void ask_end(const TaskInput& input);
  /// How many offsets lie between what `input` has accepted and the known end of its partition; absent: its partition
  /// could not be opened yet.
  std::optional<std::int64_t> behind(const TaskInput& input) const;
  /// `input` reads apart from those in front.
  bool catching_up(const TaskInput& input) const;
  /// Somebody does.
  bool any_behind() const;
  void wake() { front_->wake(); }
  bool empty() const { return feeds_.empty(); }

 private:
  struct Member {
    TaskInput* input;
    bool excluded = false;
    Clock::time_point full_since{};
  };
  struct Feed {
    TopicPartition partition;
    std::size_t line = 0;
    ReadHandle source = kNoRead;
    std::int64_t position = 0;  // next offset it will bring
    bool fresh = true;          // has brought nothing since it was opened
    bool paused = false;
    bool attended = false;  // listed in attention_
    Clock::time_point open_again{};
    std::vector<Member> members;
  };
  /// A reader and what it reads: at most one feed of each partition. The first reads the front feeds.
  struct Line {
    std::unique_ptr<Reader> reader;
    std::unordered_map<ReadHandle, Feed*> by_source;
    std::size_t feeds = 0;
  };
  using FeedList = std::vector<std::unique_ptr<Feed>>;  // of one partition; those on line 0 first

  Feed* feed_of(const TaskInput& input) const;
  Reader& reader_of(const Feed& feed) const { return *lines_[feed.line].reader; }
  Feed& make_feed(const TopicPartition& partition, std::size_t line);
  std::optional<std::size_t> free_line(const FeedList& list);
  Status place(Member member);
  Status place_behind(Member member, FeedList& list);
  Status step_back(Feed& front);
  void join(Feed& feed, Member member);
  Member leave(Feed& feed, const TaskInput& input);
  void close(Feed& feed);
  void erase_if_empty(Feed& feed);
  Status open(Feed& feed, std::int64_t offset);
  void reopen(Feed& feed, std::int64_t offset);
  void failed(Feed& feed, const Error& error);
  void tell_lost(const Feed& feed, std::int64_t begin);
  void tell_other(TaskInput& input);
  Result<std::optional<Fetch>> poll(std::size_t line, std::size_t max_records, std::chrono::milliseconds wait);
  void balance(Feed& feed);
  void part(Feed& feed);
  void meet(Feed& feed);
  void pause_if_full(Feed& feed);
  bool settled(const Feed& feed) const;
  void attend(Feed& feed);

  OpenReader open_reader_;
  Reader* const front_;  // of the first line; woken by other threads
  std::vector<Line> lines_;
  std::size_t polled_line_ = 0, next_behind_ = 1;
  std::map<TopicPartition, FeedList> feeds_;
  std::unordered_map<const TaskInput*, Feed*> home_;
  std::vector<Feed*> attention_;  // feeds that balance() has to look at
  std::vector<Broken> broken_;
  std::map<TopicPartition, LogBounds> expected_;
  Clock::time_point expected_since_{};
};

}  // namespace millrace::inline exec
