#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/due_keys.h"
#include "exec/operators/join_condition.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/least_time.h"
#include "exec/operators/windows.h"
#include "exec/state/ordered_store.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline exec {
namespace {

constexpr std::int64_t kAnyDistance = 1LL << 48;  // in ms: longer than all time there is
constexpr char kHeld = 0;                         // a row that waits for a match before it may go out alone
constexpr char kSettled = 1;                      // matched, given out, or of a side that never goes out alone

/// Rows of both sides meet when their times are close enough. Each side keeps its rows under `key | time | number`; a
/// stored row is `state byte | ROW bytes`. Which rows are visible depends on stream time alone, never on when storage
/// lets go of them.
class StreamStreamJoin final : public Operator {
 public:
  StreamStreamJoin(const StreamStreamJoinNode& node, const LowerContext& lower, OrderedStore& left, OrderedStore& right)
      : context_(lower.context),
        keys_(*node.left),
        sides_{{RowCodec(node.left->schema), left, node.before_ms.value_or(kAnyDistance),
                node.after_ms.value_or(kAnyDistance), is_outer(node.type, 0), node.left_window_ms,
                time_is_told(*node.left)},
               {RowCodec(node.right->schema), right, node.after_ms.value_or(kAnyDistance),
                node.before_ms.value_or(kAnyDistance), is_outer(node.type, 1), node.right_window_ms,
                time_is_told(*node.right)}},
        rows_(lower.node, *node.left, *node.right),
        eager_(node.eager || node.unbounded()),
        unbounded_(node.unbounded()),
        final_(node.final),
        timed_(node.left_window_ms || node.right_window_ms),
        window_key_(node.window_key),
        grace_(node.grace_ms.value_or(0)),
        retention_(node.retention_ms()) {
    if (node.condition)
      condition_ =
          std::make_unique<JoinCondition>(node.condition, context_, JoinRows(lower.node, *node.left, *node.right));
  }

  Status on_batch(int input, const Batch& in, Emitter& out) override;
  Status on_time(int input, std::int64_t time, Emitter& out) override;
  Status on_commit(Emitter&) override {
    for (Side& side : sides_)
      if (const auto last = last_expired(side)) side.store.map().expire_before(*last);
    return {};
  }
  void save(std::string& bytes) const override {
    for (const std::int64_t number : {stream_time_, sides_[0].newest, sides_[1].newest, next_})
      save_number(number, bytes);
    if (told_.times() != LeastTime(2).times()) told_.save(bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    for (Side& side : sides_) side.newest = load_number(bytes, INT64_MIN);
    next_ = load_number(bytes, 0);
    told_.load(bytes);
    for (Side& side : sides_)
      if (const auto last = last_expired(side)) side.store.map().expired_before(*last);
    held_.begin_at(closing_time(false));
    return {};
  }

 private:
  struct Side {
    RowCodec codec;
    OrderedStore& store;
    std::int64_t back, forth;               // a row at t meets the other side's from t - back to t + forth
    bool outer;                             // its unmatched rows go out too
    std::optional<std::int64_t> window_ms;  // its rows are final results of windows of that size
    bool aligned;                           // its rows do not move stream time
    std::int64_t newest = INT64_MIN;
  };

  static bool is_outer(JoinType type, int side) {
    return type == JoinType::full || type == (side == 0 ? JoinType::left : JoinType::right);
  }
  /// Up to when rows of the side have expired; nothing: none has. Without a time bound both sides live by the stream
  /// time of the join, otherwise by their own.
  std::optional<std::int64_t> last_expired(const Side& side) const {
    if (timed_) {
      const std::int64_t closed = closed_before(side);
      return closed == INT64_MIN ? std::nullopt : std::optional(closed - 1);
    }
    const std::int64_t newest = unbounded_ ? stream_time_ : side.newest;
    if (!retention_ || newest == INT64_MIN) return std::nullopt;
    return newest - *retention_ - (unbounded_ ? 1 : 0);
  }
  bool visible(const Side& side, std::int64_t timestamp) const {
    const auto last = last_expired(side);
    return !last || timestamp > *last;
  }
  /// Rows of the side before this can meet no other any more.
  std::int64_t closed_before(const Side& side) const {
    const std::int64_t others = come_before(&side == &sides_[0] ? sides_[1] : sides_[0]);
    return others == INT64_MIN ? INT64_MIN : others - side.forth;
  }
  /// All rows of the side before this have come, but for those that are late.
  std::int64_t come_before(const Side& side) const {
    const std::int64_t newest = timed_ ? side.newest : stream_time_;
    if (!side.window_ms) return newest == INT64_MIN ? INT64_MIN : newest - grace_;
    const std::int64_t complete = told_.times()[&side == &sides_[0] ? 0 : 1];  // windows that end up to then
    if (complete == INT64_MIN) return INT64_MIN;
    return complete + 1 - (window_key_ ? 0 : *side.window_ms);
  }
  bool closed(const Side& side, std::int64_t timestamp) const { return timestamp < closed_before(side); }
  /// Of the sides whose rows wait: where the first, or the last, of them closes.
  std::int64_t closing_time(bool last) const {
    std::int64_t time = last ? INT64_MIN : INT64_MAX;
    for (const Side& side : sides_)
      if (side.outer) time = last ? std::max(time, closed_before(side)) : std::min(time, closed_before(side));
    return time;
  }

  using Items = std::pair<OrderedStore::List::const_iterator, OrderedStore::List::const_iterator>;
  /// The rows of the other side that are near enough in time to one of side `own`.
  static Items near(const Side& own, const OrderedStore::List& others, std::int64_t timestamp) {
    const auto earlier = [](const OrderedStore::Item& item, std::int64_t time) { return item.end < time; };
    const auto later = [](std::int64_t time, const OrderedStore::Item& item) { return time < item.end; };
    const auto from = std::lower_bound(others.begin(), others.end(), timestamp - own.back, earlier);
    return {from, std::upper_bound(from, others.end(), timestamp + own.forth, later)};
  }

  Status find_others(int input, const Batch& in, std::span<const std::uint32_t> keyed);
  /// A row on its way in. Where windows meet, its time is the end of its window.
  struct Incoming {
    std::uint32_t row;
    std::string_view key, bytes;
    std::int64_t time, timestamp;
  };
  std::int64_t time_of(const Batch& in, std::uint32_t row) const {
    if (!window_key_) return (*in.timestamps)[row];
    return in.columns[static_cast<std::size_t>(*window_key_)]->values<std::int64_t>()[row];
  }
  bool is_late(Side& own, const Incoming& row);
  Status take_row(int input, const Incoming& row, const OrderedStore::List& others);
  bool match(int input, const Incoming& row, const OrderedStore::List& others);
  Status judge(int input, const Batch& in, std::span<const std::uint32_t> keyed);
  JoinRows::Bytes partial_key(const Batch& in, std::uint32_t row);
  Status give_held();
  Status give(const DueKeys::Key& held);
  Status read_held(std::int64_t from, std::int64_t to);

  void add(int input, JoinRows::Bytes key, JoinRows::Bytes own, JoinRows::Bytes other, std::int64_t timestamp) {
    rows_.add(key, input == 0 ? own : other, input == 0 ? other : own, timestamp);
  }

  OperatorContext& context_;
  StoreKeys keys_;
  Side sides_[2];
  JoinRows rows_;
  bool eager_;                              // unmatched rows go out at once, even if a match follows
  bool unbounded_;                          // rows meet whatever their times are
  bool final_;                              // rows that come behind the grace are dropped
  bool timed_;                              // each side has a time of its own: that of one is told
  std::optional<std::int64_t> window_key_;  // rows meet those of the same window: which key column has its end
  std::int64_t grace_;
  std::optional<std::int64_t> retention_;  // absent: for ever
  std::int64_t stream_time_ = INT64_MIN;
  LeastTime told_{2};      // what on_time has said of the inputs
  std::int64_t next_ = 0;  // numbers rows, so that equal times keep their order
  DueKeys held_;
  std::unique_ptr<JoinCondition> condition_;  // null: none
  std::vector<std::size_t> first_pairs_;      // by row with a key: the first of its pairs
  std::size_t next_pair_ = 0;
  KeyBuffer partial_key_;
  std::vector<LateRow> late_;  // rows of the batch that are kept no more
  KeyBuffer key_bytes_;
  std::vector<const OrderedStore::List*> others_;  // of the other side, for each row with a key
  std::vector<std::int64_t> others_from_;
  Encoded encoded_;
};

Status StreamStreamJoin::on_batch(int input, const Batch& in, Emitter& out) {
  std::vector<std::uint32_t> rows, keyed;
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    if (in.null_values.test(row)) continue;
    const bool has_key = is_keyed(in, keys_.columns(), row);
    if (has_key) keyed.push_back(row);
    if (has_key || sides_[input].outer) rows.push_back(row);
  }
  if (rows.empty()) return {};
  keys_.encode(in, keyed, key_bytes_);
  if (Status encoded = sides_[input].codec.encode(in, encoded_); !encoded) return encoded;
  if (Status found = find_others(input, in, keyed); !found) return found;
  if (Status judged = condition_ ? judge(input, in, keyed) : Status{}; !judged) return judged;
  std::size_t next_keyed = 0;
  late_.clear();
  for (const std::uint32_t row : rows) {
    rows_.set_headers(in, row);
    const std::int64_t timestamp = (*in.timestamps)[row];
    if (next_keyed == keyed.size() || keyed[next_keyed] != row) {
      // It can meet no other, and says nothing about stream time.
      add(input, partial_key(in, row), encoded_.row(row), std::nullopt, timestamp);
      continue;
    }
    const std::size_t i = next_keyed++;
    next_pair_ = condition_ ? first_pairs_[i] : 0;
    const Incoming incoming{row, key_bytes_[i], encoded_.row(row), time_of(in, row), timestamp};
    if (Status taken = take_row(input, incoming, *others_[i]); !taken) return taken;
  }
  if (Status told = context_.late_rows(in, late_, static_cast<std::size_t>(input)); !told) return told;
  return rows_.flush(out);
}

/// What the rows of a batch may meet: all that is near enough to them in time and is still visible.
Status StreamStreamJoin::find_others(int input, const Batch& in, std::span<const std::uint32_t> keyed) {
  const Side& own = sides_[input];
  const Side& other = sides_[1 - input];
  const auto last = last_expired(other);
  const std::int64_t visible_from = last ? *last + 1 : 0;
  others_from_.clear();
  for (const std::uint32_t row : keyed) others_from_.push_back(std::max(time_of(in, row) - own.back, visible_from));
  return other.store.find_lists(key_bytes_, others_from_, others_);
}

/// Which of the rows that they may meet the rows of a batch do meet.
Status StreamStreamJoin::judge(int input, const Batch& in, std::span<const std::uint32_t> keyed) {
  first_pairs_.clear();
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    first_pairs_.push_back(condition_->pairs().size());
    const auto [from, to] = near(sides_[input], *others_[i], time_of(in, keyed[i]));
    for (auto item = from; item != to; ++item) {
      const JoinRows::Bytes own = encoded_.row(keyed[i]), other = row_value(item->entry->value()).bytes().substr(1);
      condition_->pairs().add(key_bytes_[i], input == 0 ? own : other, input == 0 ? other : own,
                              std::max((*in.timestamps)[keyed[i]], value_timestamp(item->entry->value())));
    }
  }
  return condition_->judge();
}

/// The key of a row that has none of it, or of several columns some.
JoinRows::Bytes StreamStreamJoin::partial_key(const Batch& in, std::uint32_t row) {
  if (keys_.columns() == 1 || in.null_keys.test(row)) return std::nullopt;
  keys_.encode(in, {&row, 1}, partial_key_);
  return partial_key_[0];
}

/// Moves stream time on. True: the row has come behind the grace of a final join, of which it is no part.
bool StreamStreamJoin::is_late(Side& own, const Incoming& row) {
  if (own.window_ms) return false;
  if (!own.aligned) stream_time_ = std::max(stream_time_, row.time);
  if (timed_ && !own.aligned) own.newest = std::max(own.newest, row.time);
  const std::int64_t closed = (timed_ ? own.newest : stream_time_) - grace_;
  if (!final_ || row.time >= closed) return false;
  late_.push_back({row.row, closed - row.time});
  return true;
}

Status StreamStreamJoin::take_row(int input, const Incoming& row, const OrderedStore::List& others) {
  Side& own = sides_[input];
  if (is_late(own, row)) return {};
  if (!eager_ && !own.window_ms && row.time == (timed_ ? own.newest : stream_time_))
    if (Status given = give_held(); !given) return given;
  if (!own.aligned) own.newest = std::max(own.newest, row.time);
  const bool matched = match(input, row, others);
  const bool stored = visible(own, row.time);
  const bool alone = own.outer && !matched;
  const bool hold = alone && stored && !eager_ && !closed(own, row.time);
  if (alone && !hold) add(input, row.key, row.bytes, std::nullopt, row.timestamp);
  if (!stored) {
    // What it could have met is gone; otherwise it has just met all there is.
    if (!timed_) late_.push_back({row.row, *last_expired(own) - row.time});
    return {};
  }
  Entry* entry = own.store.insert(row.key, next_++, row.time);
  std::string value(1, hold ? kHeld : kSettled);
  value.append(row.bytes);
  own.store.map().put_row(*entry, row.timestamp, value);
  if (hold && row.time < held_.known_to()) held_.add({row.time, input == 0, std::string(own.store.map().key(*entry))});
  return {};
}

/// Pairs a row with the rows of the other side that it meets; true when there are any.
bool StreamStreamJoin::match(int input, const Incoming& row, const OrderedStore::List& others) {
  Side& own = sides_[input];
  Side& other = sides_[1 - input];
  bool matched = false;
  const auto [from, to] = near(own, others, row.time);
  for (auto item = from; item != to; ++item) {
    const bool holds = !condition_ || condition_->holds(next_pair_++);
    if (!holds || !visible(other, item->end)) continue;
    matched = true;
    Entry& entry = *item->entry;
    if (row_value(entry.value()).data[0] == kHeld) {
      other.store.map().change(entry);
      row_value(entry.value()).data[0] = kSettled;
      if (item->end < held_.known_to()) held_.erase({item->end, input == 1, std::string(other.store.map().key(entry))});
    }
    add(input, row.key, row.bytes, row_value(entry.value()).bytes().substr(1),
        std::max(row.timestamp, value_timestamp(entry.value())));
  }
  return matched;
}

/// A side of final results has come to `time`; any other has been quiet until then.
Status StreamStreamJoin::on_time(int input, std::int64_t time, Emitter& out) {
  const auto least = told_.told(static_cast<std::size_t>(input), time);
  if (Side& side = sides_[input]; !side.window_ms) {
    side.newest = std::max(side.newest, time);
    stream_time_ = std::max(stream_time_, time);
  }
  rows_.set_headers(nullptr);
  if (Status given = eager_ ? Status{} : give_held(); !given) return given;
  if (Status given = rows_.flush(out); !given) return given;
  return least && (window_key_ || !timed_) ? out.time(*least) : Status{};
}

/// Gives out held rows that can meet no other any more, by time; at one time the right side's first.
Status StreamStreamJoin::give_held() {
  const std::int64_t last = closing_time(true);
  while (!held_.none_before(last)) {
    auto& keys = held_.keys();
    for (auto held = keys.begin(); held != keys.end() && held->time < last;) {
      if (!closed(sides_[held->left ? 0 : 1], held->time)) {
        ++held;
        continue;
      }
      if (Status given = give(*held); !given) return given;
      held = keys.erase(held);
    }
    if (held_.known_to() >= last) return {};
    std::optional<std::int64_t> end;
    for (const Side& side : sides_)
      if (const auto next = side.store.map().segment_end(held_.known_to()); side.outer && next)
        end = end ? std::min(*end, *next) : *next;
    Status read = held_.read_on(last, end, [this](std::int64_t from, std::int64_t to) { return read_held(from, to); });
    if (!read) return read;
  }
  return {};
}

Status StreamStreamJoin::give(const DueKeys::Key& held) {
  const int input = held.left ? 0 : 1;
  MapStore& map = sides_[input].store.map();
  KeyBuffer key;
  key.bytes = held.key;
  key.ends.push_back(static_cast<std::uint32_t>(key.bytes.size()));
  Entry* entry = nullptr;
  if (Status found = map.find(key, {&entry, 1}); !found) return found;
  if (entry == nullptr) return {};
  const std::string_view bare = std::string_view(held.key).substr(0, held.key.size() - 2 * kWindowBytes);
  map.change(*entry);
  row_value(entry->value()).data[0] = kSettled;
  add(input, bare, row_value(entry->value()).bytes().substr(1), std::nullopt, value_timestamp(entry->value()));
  return {};
}

/// Which rows wait, of those in between.
Status StreamStreamJoin::read_held(std::int64_t from, std::int64_t to) {
  for (const int input : {0, 1}) {
    Side& side = sides_[input];
    const auto last = last_expired(side);
    if (!side.outer || (!last && !timed_)) continue;
    Status visited = side.store.map().visit_windows(
        timed_ ? from : std::max(from, *last), to,
        [&](std::string_view key, const Entry* entry, std::string_view stored) {
          const char state = entry != nullptr ? row_value(entry->value()).data[0] : stored[sizeof(std::int64_t)];
          if (state == kHeld) held_.add({OrderedStore::end_of(key), input == 0, std::string(key)});
        });
    if (!visited) return visited;
  }
  return {};
}

}  // namespace

MadeOperator make_stream_stream_join(const StreamStreamJoinNode& node, const LowerContext& lower) {
  Result<OrderedStore*> left = open_lists(lower.store("left"), node.retention_ms().value_or(kAnyDistance));
  if (!left) return left.error();
  Result<OrderedStore*> right = open_lists(lower.store("right"), node.retention_ms().value_or(kAnyDistance));
  if (!right) return right.error();
  return std::make_unique<StreamStreamJoin>(node, lower, **left, **right);
}

}  // namespace millrace::inline exec
