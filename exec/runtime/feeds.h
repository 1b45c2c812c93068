#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/task_input.h"

namespace millrace::inline exec {

/// One reader shared by the tasks of a worker: a partition is fetched once for all inputs that want it. An input that
/// begins (or is put back) behind the others makes the feed go back; the others skip what they have. One thread, but
/// for wake().
class Feeds {
 public:
  explicit Feeds(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}

  /// Starts giving records to `input` from its accepted() on. The input must be removed before it dies.
  Status add(TaskInput& input);
  void remove(TaskInput& input);
  /// After input.seek(): the feed goes back if it must.
  Status moved(TaskInput& input);
  /// An excluded input takes nothing and holds nobody up (paused queries).
  void exclude(TaskInput& input, bool excluded);

  /// Next records of some partition, not yet given out.
  Result<std::optional<Fetch>> poll(std::size_t max_records, std::chrono::milliseconds wait);
  /// Gives them to every input that waits for them. The inputs that took something are appended to `takers`.
  Status deliver(Fetch&& fetch, std::vector<TaskInput*>& takers);
  /// Pauses feeds whose takers are full, wakes those that have drained.
  Status balance();
  /// Whether committed records lie in the log that `input` has not accepted, as far as the reader can guess.
  bool has_more(const TaskInput& input) const { return behind(input) > 0; }
  /// True once the log has told that it holds nothing more for `input`.
  bool ended(const TaskInput& input) const;
  /// Has the log asked about that; its answer ends a poll() under way.
  void ask_end(const TaskInput& input);
  /// How many offsets lie between what `input` has accepted and the known end of its partition.
  std::int64_t behind(const TaskInput& input) const;
  void wake() { reader_->wake(); }
  bool empty() const { return feeds_.empty(); }

 private:
  struct Member {
    TaskInput* input;
    bool excluded = false;
    Clock::time_point full_since{};
  };
  struct Feed {
    TopicPartition partition;
    int source = -1;
    std::int64_t position = 0;  // next offset it will bring
    bool paused = false;
    bool attended = false;  // listed in attention_
    std::vector<Member> members;
  };
  Feed* feed_of(const TaskInput& input) const;
  Status open(Feed& feed, std::int64_t offset);
  Status balance(Feed& feed);
  void attend(Feed& feed);

  std::unique_ptr<Reader> reader_;
  std::map<TopicPartition, std::unique_ptr<Feed>> feeds_;
  std::unordered_map<int, Feed*> by_source_;
  std::vector<Feed*> attention_;  // feeds that balance() has to look at
};

}  // namespace millrace::inline exec
