#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/slot.h"

/// Where records live (design.md §5): one interface, three logs. exec/log is the only place that knows which.
namespace millrace::inline exec {

using Clock = std::chrono::steady_clock;

struct HeaderView {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// One record as it lies in the log. Views live as long as the fetch that holds them.
struct RecordView {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::int64_t timestamp = 0;  // ms
  std::int64_t offset = -1;
  std::span<const HeaderView> headers;
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// One partition as a reader knows it; never given twice by the same reader. No number of a partition, nor an offset.
enum class ReadHandle : std::int32_t {};
constexpr ReadHandle kNoRead{-1};

/// When a record happened, in ms since the epoch, as its writer tells it; what offsets and partitions cannot be taken
/// for.
enum class RecordTime : std::int64_t {};
constexpr std::int64_t ms_of(RecordTime time) {
  return static_cast<std::int64_t>(time);
}

/// Records of one partition in offset order. Offsets may have gaps (compaction, aborted records, commit markers).
struct Fetch {
  ReadHandle source = kNoRead;  // what Reader::add returned
  std::vector<RecordView> records;
  std::int64_t next_offset = 0;       // read on from here
  std::shared_ptr<const void> owner;  // what the views point into
};

/// Where a read begins when no offset is known.
constexpr std::int64_t kOffsetBeginning = -2;
constexpr std::int64_t kOffsetEnd = -1;

/// First offset of a partition and one past the last.
struct LogBounds {
  std::int64_t begin = 0, end = 0;
};

/// Reads partitions from offsets that the caller keeps; sees committed records only. Used by one thread, but for
/// wake().
class Reader {
 public:
  virtual ~Reader() = default;
  /// Starts reading; `offset` is absolute or one of the two constants. Returns a handle for this partition. When an
  /// absolute offset lies before the log's start, reading begins at the start; beyond the end is an error.
  Result<ReadHandle> add(const TopicPartition& partition, std::int64_t offset) {
    return add(partition, offset, nullptr);
  }
  /// `known`: what a committed reader saw of the partition a moment ago, so that the log need not be asked; null: it
  /// is.
  virtual Result<ReadHandle> add(const TopicPartition& partition, std::int64_t offset, const LogBounds* known) = 0;
  virtual void remove(ReadHandle source) = 0;
  /// A paused partition yields nothing, keeps its place.
  virtual void pause(ReadHandle source) = 0;
  virtual void resume(ReadHandle source) = 0;
  /// The next records of some partition, fairly chosen; empty when none came within `wait` or wake() was called. At
  /// most about `max_records`.
  virtual Result<std::optional<Fetch>> poll(std::size_t max_records, std::chrono::milliseconds wait) = 0;
  /// The partition whose reading the error that poll() gave last is about, and which brings nothing any more until it
  /// is removed and added again; kNoRead: the error is about the log as a whole, and reading goes on.
  virtual ReadHandle at_fault() const { return kNoRead; }
  /// How many offsets add() passed over, because the log has removed what was there.
  virtual std::int64_t skipped(ReadHandle /*source*/) const { return 0; }
  /// From now on records that the log removes while they have not been read yet are an error of their partition (see
  /// at_fault), and not passed over.
  virtual void report_removed() {}
  /// One past the last record that a committed reader can see, as far as this client can guess (refreshed by fetches;
  /// no round trip).
  virtual std::int64_t known_end(ReadHandle source) = 0;
  /// True once the log has told that no committed records lie ahead of what poll() has given, and that this was so at
  /// `since` or later.
  virtual bool ended(ReadHandle source, Clock::time_point since) = 0;
  bool ended(ReadHandle source) { return ended(source, Clock::time_point{}); }
  /// Asks it in the background, as of now; the answer ends a poll() under way.
  virtual void ask_end(ReadHandle source) = 0;
  /// Ends a poll() under way in another thread. Any thread.
  virtual void wake() = 0;
};

/// A topic as a writer knows it: no number of a partition, which it stands beside.
enum class TopicHandle : std::int32_t {};

/// One atomic unit after another. A worker owns one writer; one thread uses it.
///
/// Appends gather in the open transaction. `commit` closes it and returns at once; the next transaction is open then,
/// and appends to it wait in memory until the one under way has ended. At most one commit is under way: a second
/// `commit` first waits. After an error with Fault::fenced nothing of this writer will ever become visible again.
class Writer {
 public:
  virtual ~Writer() = default;
  /// A handle for a topic that exists, good until forget_topics() lets go of it. Cached; cheap to call again. `track`:
  /// commits report where its records went (changelogs).
  virtual Result<TopicHandle> topic(const std::string& name, bool track = false) = 0;
  /// Lets go of topics that topic() was not asked for since `before`, but for those with records in a transaction that
  /// has not ended. For writers that live longer than topics do. How many are left.
  virtual std::size_t forget_topics(Clock::time_point before) = 0;
  virtual std::int32_t partitions(TopicHandle topic) const = 0;
  /// For writers that live long: learns how many partitions the topic has now, if that was not asked lately.
  /// Precondition: nothing is in the open transaction, and no commit is under way.
  virtual Status refresh(TopicHandle /*topic*/) { return {}; }
  /// The bytes are copied (or handed over) before it returns. `partition` must exist.
  virtual Status append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                        std::optional<std::string_view> value, RecordTime timestamp,
                        std::span<const HeaderView> headers = {}) = 0;
  /// Records appended and bytes in the open transaction.
  virtual std::size_t pending_bytes() const = 0;

  /// Ends the open transaction in the background: outputs, changelog and progress become visible together or not at
  /// all.
  virtual Status commit() = 0;
  enum class Outcome : std::uint8_t { none, pending, committed, failed };
  struct Appended {
    TopicHandle topic;
    std::int32_t partition;
    std::int64_t next_offset;  // one past the last record this transaction appended there
  };
  struct CommitState {
    Outcome outcome = Outcome::none;
    std::optional<Error> error;  // failed: nothing of it is visible; the writer has aborted, what was appended since is
                                 // dropped too, and a new transaction is open. Fault::fenced: what became of it is
                                 // not known, and nothing that this writer appends will ever be visible
    std::vector<Appended> appended;  // committed: tracked topics only
    /// failed: the log would not take a record of this transaction there. Empty when the error is about something else.
    std::vector<TopicPartition> refused;
  };
  /// State of the last commit; `wait` > 0 blocks until it has ended or the time is over. `committed` and `failed` are
  /// reported once, then `none`.
  virtual CommitState commit_state(std::chrono::milliseconds wait) = 0;
  /// Drops the open transaction.
  virtual Status abort() = 0;
  /// Called (from any thread) when a commit under way ends, so that the worker wakes up. Set before the first commit.
  virtual void on_commit_done(std::function<void()> callback) = 0;
};

/// Which slots this process owns. Callbacks come from poll(), on its caller's thread.
class Membership {
 public:
  virtual ~Membership() = default;
  struct Events {
    std::function<void(const std::vector<SlotId>& slots)> granted;
    /// Called before others may take the slots: stop, commit or abort what belongs to them within the call.
    std::function<void(const std::vector<SlotId>& slots)> revoked;
    /// They are gone already (missed heartbeats): drop what belongs to them, do not commit.
    std::function<void(const std::vector<SlotId>& slots)> lost;
  };
  /// Joins as member `member_id` (stable across restarts of this process). Returns at once; the first grant comes
  /// through poll().
  virtual Status join(const std::string& member_id, Events events) = 0;
  virtual Status poll(std::chrono::milliseconds wait) = 0;
  /// Whether this process has heard of its group within a session: what it owns, it still owned a moment ago. Any
  /// thread.
  virtual bool is_current() const { return true; }
  /// Which process (its advertised address) owns each slot, as the group knows it; empty string when nobody does.
  virtual Result<std::vector<std::string>> owners() = 0;
  /// The processes of the group, by their advertised addresses.
  virtual Result<std::vector<std::string>> members() = 0;
  /// The ids under which they have joined.
  virtual Result<std::vector<std::string>> member_ids() { return std::vector<std::string>(); }
  virtual void leave() = 0;
};

struct TopicConfig {
  int partitions = 1;
  int replicas = 1;
  std::optional<std::int64_t> retention_ms = {};  // -1: for ever; absent: the log's default (7 days)
  bool compacted = false;
  bool compact_and_delete = false;
  std::optional<int> min_insync_replicas = {};  // absent: the log's default
  /// Records are replaced or truncated all the time: segments are rolled soon, and compacted or dropped (internal
  /// topics).
  bool short_segments = false;
};
struct TopicDescription {
  std::string name;
  TopicConfig config;
};

/// What a kind of log is like: nobody guesses that from how one was configured.
struct LogTraits {
  /// Several processes may work on it: which of them owns a slot is for its membership to say. Otherwise this one owns
  /// all of them.
  bool membership = false;
  /// State is restored from a changelog by this process only: what durable state has taken in may be truncated.
  bool changelog_is_redo_only = false;
  /// Nobody but this process has work with its commits.
  bool commits_are_own = false;
  /// It can know other clusters and their topics, when it is told of them (Log::clusters).
  bool other_clusters = false;
};

/// A log. Thread-safe; must outlive the readers and writers it made.
///
/// Topics may lie in other clusters (planner/types/topic_name.h). They are read like any other. What a writer appends
/// there is visible a moment before the rest of its transaction, and once more when the transaction fails after that.
/// A cluster that is away makes calls about its topics fail soon (Fault::unavailable), and concerns nobody else.
class Log {
 public:
  virtual ~Log() = default;
  virtual LogTraits traits() const = 0;
  /// The other clusters that it knows.
  virtual std::vector<std::string> clusters() const { return {}; }
  /// One of them has not answered for a while. Does not wait.
  virtual bool is_away(std::string_view /*cluster*/) const { return false; }
  virtual Status create_topic(const std::string& name,
                              const TopicConfig& config) = 0;  // an existing topic is a user error
  virtual Result<std::vector<TopicDescription>> list_topics() = 0;
  virtual Result<std::optional<TopicDescription>> describe_topic(const std::string& name) = 0;
  /// How many partitions each of these topics has, 0 where there is none of that name; and as many topics at once as
  /// the log can take: what one round trip tells is not asked in many.
  virtual Result<std::vector<int>> partition_counts(std::span<const std::string> topics);
  using NewTopic = std::pair<std::string, TopicConfig>;
  /// None of them exists; some may, after an error.
  virtual Status create_topics(std::span<const NewTopic> topics);
  virtual Status delete_topic(const std::string& name) = 0;
  /// Records before `offset` may be dropped.
  virtual Status truncate_before(const TopicPartition& partition, std::int64_t offset) = 0;
  /// The same of many partitions, each for itself; the first error.
  using Truncation = std::pair<TopicPartition, std::int64_t>;
  virtual Status truncate_all(std::span<const Truncation> truncations);
  using Bounds = LogBounds;
  /// Asked from the log itself. `committed` false counts records and markers that a
  /// committed reader cannot see yet (needed for "to the end", design.md §5 Kafka).
  virtual Result<Bounds> bounds(const TopicPartition& partition, bool committed = true) = 0;
  /// The same of many partitions.
  virtual Result<std::vector<Bounds>> bounds_of(std::span<const TopicPartition> partitions, bool committed = true);

  virtual Result<std::unique_ptr<Reader>> reader(const std::string& client_id) = 0;
  /// Initialises at once: ends what a predecessor with this id left open. `membership` may be null (statements, INSERT
  /// VALUES): no fence then.
  virtual Result<std::unique_ptr<Writer>> writer(const std::string& transactional_id, Membership* membership) = 0;
  /// `slots_topic` exists with one partition per slot.
  virtual Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots_topic,
                                                         const std::string& advertised) = 0;
  /// Outside transactions: one record, visible and durable on return; its offset.
  virtual Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, RecordTime timestamp,
                                          std::span<const HeaderView> headers = {}) = 0;
  /// A copy of all that is committed, as it is at one moment, in a new directory: what opens there is this log.
  virtual Status checkpoint(const std::string& /*directory*/) {
    return user_error("this log cannot be copied: a Kafka cluster is backed up by its own means");
  }
  /// What is committed survives a power cut from now on, on a log that does not see to that at each commit.
  virtual Status sync() { return {}; }
  /// A name that stays the same for this log: the Kafka cluster id, or one kept in the embedded directory.
  virtual Result<std::string> cluster_id() = 0;
  /// This process is about to end: whatever waits for the other side, now or later, gives up when `wait` is over, a
  /// commit with its outcome unknown. Any thread; for good.
  virtual void end_within(std::chrono::milliseconds /*wait*/) {}
  /// For short reads, each from an offset that the log has up to an end that it has told: poll() says soon that markers
  /// and gaps are all that is left, and nothing is asked beside.
  virtual Result<std::unique_ptr<Reader>> reader_to_end(const std::string& client_id) { return reader(client_id); }
};

}  // namespace millrace::inline exec
