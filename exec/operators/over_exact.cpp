#include <algorithm>
#include <map>

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/over_running.h"
#include "exec/operators/over_values.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

/// Functions over windows of a stream whose rows come in the order of their times. A row is answered when time has
/// come to where all rows of its frames are known: behind rows of its own time, behind what a frame reaches in time,
/// and behind so many rows that stand after it. Answers go out in the order of these times, then of the rows': that is
/// the same however rows come in batches.
///
/// Of a partition, one value of the store holds the rows that are not answered yet, those before them that frames may
/// reach, and what running aggregates have seen. Beside it, under `partition | time`, is a mark for each time at which
/// one of its rows may become known.
class OverExact final : public Operator {
 public:
  OverExact(const OverNode& node, const LowerContext& lower, MapStore& store)
      : node_(node),
        context_(lower.context),
        groups_(*node.input),
        row_codec_(node.input->schema),
        values_(node),
        order_(node.order, *node.input),
        running_{RunningCalls(node, false), RunningCalls(node, true)},
        store_(store) {
    for (const OverCall& call : node.calls) look_at(call);
  }

  Status on_batch(int, const Batch& in, Emitter& out) override;
  /// No row comes any more that is older.
  Status on_time(int, std::int64_t time, Emitter& out) override {
    if (time <= come_to_) return {};
    const std::int64_t from = come_to_;
    come_to_ = time;
    return answer(from, out);
  }
  void save(std::string& bytes) const override {
    for (const std::int64_t number : {come_to_, next_}) save_number(number, bytes);
  }
  Status load(std::string_view bytes) override {
    come_to_ = load_number(bytes, INT64_MIN);
    next_ = load_number(bytes, 0);
    return {};
  }

 private:
  static constexpr std::int64_t kGroup = std::int64_t{1} << 60;  // in place of a time: the partition's own value
  static constexpr std::int64_t kUnknown = INT64_MAX;

  struct Kept {
    std::string order;
    std::int64_t timestamp, number;
    std::string row;
  };
  /// What they have seen of a partition: so many of its rows that are kept, and all before.
  struct Seen {
    RunningState state;
    std::size_t rows;
  };
  struct Group {
    Entry* entry;
    std::string key;
    std::vector<Kept> kept;
    std::size_t answered = 0;                 // of the rows, from the first on
    std::vector<Seen> seen;                   // by running_
    std::size_t first = 0, from = 0, to = 0;  // in the batch that is answered
  };
  /// A row that is answered.
  struct Answer {
    std::int64_t known, timestamp, number;
    std::uint32_t row;    // of the batch
    std::uint32_t value;  // of the answers
    auto operator<=>(const Answer&) const = default;
  };

  void look_at(const OverCall& call);
  Status open(const std::vector<std::string>& keys);
  Status read(Entry& entry, std::string_view key);
  Status write();
  Status answer(std::int64_t from, Emitter& out);
  Status mark(std::string_view key, std::int64_t time);
  std::int64_t known_at(const Group& group, std::size_t row) const;
  Result<Batch> rows_of_groups();
  Status run(std::size_t which, const Batch& rows, std::vector<ColumnPtr>& out);
  void trim(Group& group) const;

  const OverNode& node_;
  OperatorContext& context_;
  const StoreKeys groups_;
  RowCodec row_codec_;
  OverValues values_;
  SortBytes order_;
  RunningCalls running_[2];  // up to a row; up to the last one that is equal to it in the order
  MapStore& store_;
  std::size_t rows_before_ = 0;  // that frames reach
  std::size_t rows_behind_ = 0;
  std::int64_t ms_before_ = -1;  // and those so much older; -1: no frame goes by time
  std::int64_t ms_behind_ = 0;
  std::int64_t come_to_ = INT64_MIN;
  std::int64_t next_ = 0;  // numbers rows

  std::vector<Group> opened_;
  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer sorted_, keys_;
  Encoded encoded_;
};

/// What it takes to know the value of a row.
void OverExact::look_at(const OverCall& call) {
  using Edge = OverFrame::Edge;
  const OverFrame& frame = call.frame;
  if (is_running(call, node_)) return;
  if (call.call.function->kind == FunctionKind::window && !make_window_function(call)->looks_at_frame()) {
    const auto function = make_window_function(call);
    rows_before_ = std::max(rows_before_, function->rows_before());
    rows_behind_ = std::max(rows_behind_, function->rows_behind());
  } else if (frame.range) {
    ms_before_ = std::max<std::int64_t>(ms_before_, frame.start == Edge::preceding ? frame.start_by : 0);
    if (frame.end == Edge::following) ms_behind_ = std::max(ms_behind_, frame.end_by);
  } else {
    const FrameFinder finder(frame, nullptr, false);
    rows_before_ = std::max(rows_before_, finder.rows_before());
    rows_behind_ = std::max(rows_behind_, finder.rows_behind());
  }
}

Status OverExact::read(Entry& entry, std::string_view key) {
  std::string_view bytes = entry.present() ? row_value(entry.value()).bytes() : std::string_view();
  const bool known = !bytes.empty();
  std::uint64_t count = 0, answered = 0;
  const Error unreadable{Fault::bug, "kept rows cannot be read"};
  if (known && (!codec::get_unsigned(bytes, answered) || !codec::get_unsigned(bytes, count))) return unreadable;
  Group group{&entry, std::string(key), {}, answered, {}};
  for (const RunningCalls& running : running_) {
    std::string_view state;
    std::uint64_t seen = 0;
    if (known && (!codec::get_text(bytes, state) || !codec::get_unsigned(bytes, seen))) return unreadable;
    group.seen.push_back({RunningState(running.layout, state), seen});
    if (!group.seen.back().state.good()) return Error{Fault::bug, "what an aggregate has seen cannot be read"};
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view order, row;
    std::int64_t timestamp = 0, number = 0;
    if (!codec::get_text(bytes, order) || !codec::get(bytes, timestamp) || !codec::get(bytes, number) ||
        !codec::get_text(bytes, row))
      return unreadable;
    group.kept.push_back({std::string(order), timestamp, number, std::string(row)});
  }
  opened_.push_back(std::move(group));
  return {};
}

/// The partitions of these keys, which all differ.
Status OverExact::open(const std::vector<std::string>& keys) {
  opened_.clear();
  opened_.reserve(keys.size());
  KeyBuffer places;
  for (const std::string& key : keys) {
    places.bytes.append(key);
    append_window(kGroup, places.bytes);
    places.ends.push_back(static_cast<std::uint32_t>(places.bytes.size()));
  }
  std::vector<Entry*> entries(keys.size());
  if (Status found = store_.find_or_create(places, entries); !found) return found;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (Status done = read(*entries[i], keys[i]); !done) return done;
  return {};
}

Status OverExact::mark(std::string_view key, std::int64_t time) {
  KeyBuffer place;
  place.bytes.append(key);
  append_window(time, place.bytes);
  place.ends.push_back(static_cast<std::uint32_t>(place.bytes.size()));
  Entry* entry = nullptr;
  if (Status found = store_.find_or_create(place, {&entry, 1}); !found) return found;
  if (!entry->present()) store_.put_row(*entry, time, {});
  return {};
}

/// Keeps the rows, at their places in the order.
Status OverExact::on_batch(int, const Batch& in, Emitter&) {
  rows_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (!in.null_values.test(row)) rows_.push_back(row);
  if (rows_.empty()) return {};
  RowErrors errors;
  order_.encode(in, errors, sorted_);
  if (errors.count != 0) context_.report(errors, in);
  groups_.encode(in, rows_, keys_);
  if (Status encoded = row_codec_.encode(in, encoded_); !encoded) return encoded;
  std::map<std::string, std::size_t, std::less<>> place;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (place.emplace(keys_[i], keys.size()).second) keys.emplace_back(keys_[i]);
  if (Status opened = open(keys); !opened) return opened;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Group& group = opened_[place.find(keys_[i])->second];
    const std::string_view order = sorted_[rows_[i]];
    const std::int64_t timestamp = (*in.timestamps)[rows_[i]];
    const auto at = std::upper_bound(group.kept.begin() + static_cast<std::ptrdiff_t>(group.answered), group.kept.end(),
                                     order, [](std::string_view a, const Kept& b) { return a < b.order; });
    group.kept.insert(at, {std::string(order), timestamp, next_++, std::string(encoded_.row(rows_[i]))});
    if (Status marked = mark(keys_[i], timestamp + 1); !marked) return marked;
    if (ms_behind_ > 0)
      if (Status marked = mark(keys_[i], timestamp + ms_behind_ + 1); !marked) return marked;
  }
  return write();
}

Status OverExact::write() {
  std::string bytes, state;
  for (Group& group : opened_) {
    bytes.clear();
    for (const std::size_t number : {group.answered, group.kept.size()}) codec::put_unsigned(number, bytes);
    bool running = false;
    for (std::size_t i = 0; i < group.seen.size(); ++i) {
      state.clear();
      if (!running_[i].calls.empty()) running_[i].layout.encode(group.seen[i].state.value(), state);
      running = running || !running_[i].calls.empty();
      codec::put_text(state, bytes);
      codec::put_unsigned(group.seen[i].rows, bytes);
    }
    std::int64_t newest = group.entry->present() ? value_timestamp(group.entry->value()) : 0;
    for (const Kept& kept : group.kept) {
      codec::put_text(kept.order, bytes);
      codec::put(kept.timestamp, bytes);
      codec::put(kept.number, bytes);
      codec::put_text(kept.row, bytes);
      newest = std::max(newest, kept.timestamp);
    }
    if (group.kept.empty() && !running)
      store_.remove(*group.entry);
    else
      store_.put_row(*group.entry, newest, bytes);
  }
  return {};
}

/// The time at which the value of a row is known; kUnknown: too few rows stand behind it.
std::int64_t OverExact::known_at(const Group& group, std::size_t row) const {
  const std::size_t last = row + rows_behind_;
  if (last >= group.kept.size()) return kUnknown;
  return std::max(group.kept[row].timestamp + ms_behind_, group.kept[last].timestamp) + 1;
}

/// The rows of all partitions that are open, one behind the other.
Result<Batch> OverExact::rows_of_groups() {
  std::vector<std::optional<std::string_view>> rows;
  std::vector<std::string_view> keys;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (const Group& group : opened_) {
    for (const Kept& kept : group.kept) {
      rows.emplace_back(kept.row);
      keys.push_back(group.key);
      timestamps->push_back(kept.timestamp);
    }
  }
  auto columns = row_codec_.decode(rows);
  if (!columns) return columns.error();
  Batch batch;
  batch.rows = rows.size();
  batch.columns = std::move(*columns);
  batch.timestamps = std::move(timestamps);
  groups_.decode(keys, batch);
  return batch;
}

/// Time has come from `from` to where it is: answers what is known now.
Status OverExact::answer(std::int64_t from, Emitter& out) {
  std::vector<Entry*> marks;
  const std::int64_t first = from == INT64_MIN ? 0 : from + 1;
  if (Status found = store_.collect_windows(first, come_to_ + 1, marks); !found) return found;
  if (marks.empty()) return {};
  std::vector<std::string> keys;
  for (const Entry* entry : marks) {
    const std::string_view key = store_.key(*entry);
    keys.emplace_back(key.substr(0, key.size() - kWindowBytes));
  }
  for (Entry* entry : marks) store_.remove(*entry);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (Status opened = open(keys); !opened) return opened;

  std::vector<Answer> answers;
  std::vector<WindowRows::Part> parts;
  std::vector<std::string_view> orders;
  for (Group& group : opened_) {
    group.first = orders.size();
    group.from = group.to = group.answered;
    std::size_t whole = 0;  // rows to whose left nothing can come any more
    while (whole < group.kept.size() && group.kept[whole].timestamp < come_to_) ++whole;
    for (const Kept& kept : group.kept) orders.push_back(kept.order);
    while (group.to < whole && known_at(group, group.to) <= come_to_) {
      const Kept& row = group.kept[group.to];
      answers.push_back({known_at(group, group.to), row.timestamp, row.number,
                         static_cast<std::uint32_t>(group.first + group.to),
                         static_cast<std::uint32_t>(answers.size())});
      ++group.to;
    }
    if (group.to == group.from) continue;
    const auto at = [&](std::size_t row) { return static_cast<std::uint32_t>(group.first + row); };
    parts.push_back({at(0), at(whole), at(group.from), at(group.to)});
  }
  if (answers.empty()) return {};
  Result<Batch> rows = rows_of_groups();
  if (!rows) return rows.error();
  RowErrors errors;
  std::vector<ColumnPtr> framed, running[2];
  if (Status done = values_.evaluate(*rows, orders, parts, errors, framed); !done) return done;
  if (errors.count != 0) context_.report(errors, *rows);
  for (std::size_t i = 0; i < 2; ++i)
    if (Status done = run(i, *rows, running[i]); !done) return done;

  std::sort(answers.begin(), answers.end());
  for (std::size_t start = 0; start < answers.size(); start += kMaxBatchRows) {
    std::vector<std::uint32_t> which, values;
    for (std::size_t i = start; i < std::min(answers.size(), start + kMaxBatchRows); ++i) {
      which.push_back(answers[i].row);
      values.push_back(answers[i].value);
    }
    Batch made = gather(*rows, which);
    std::size_t next_framed = 0, next_running[2] = {0, 0};
    for (const OverCall& call : node_.calls) {
      const std::size_t kind = call.frame.range ? 1 : 0;
      const bool runs = is_running(call, node_);
      made.columns.push_back(gather(runs ? *running[kind][next_running[kind]++] : *framed[next_framed++], values));
    }
    if (Status given = out.batch(std::move(made)); !given) return given;
  }
  for (Group& group : opened_) {
    group.answered = group.to;
    trim(group);
  }
  return write();
}

/// Running aggregates see rows in order; where a frame ends with the rows that are equal, all of those first.
Status OverExact::run(std::size_t which, const Batch& rows, std::vector<ColumnPtr>& out) {
  RunningCalls& running = running_[which];
  const bool with_peers = which == 1;
  if (running.calls.empty()) return {};
  RowErrors errors;
  running.arguments.evaluate(rows, errors);
  if (errors.count != 0) context_.report(errors, rows);
  std::vector<RunningState> states;
  std::vector<const std::byte*> values;
  std::size_t asked = 0;
  for (const Group& group : opened_) asked += group.to - group.from;
  states.reserve(asked);
  for (Group& group : opened_) {
    Seen& seen = group.seen[which];
    for (std::size_t row = group.from; row < group.to; ++row) {
      std::size_t end = row + 1;
      while (with_peers && end < group.kept.size() && group.kept[end].order == group.kept[row].order) ++end;
      for (; seen.rows < end; ++seen.rows) {
        std::byte* state = seen.state.value();
        const auto at = static_cast<std::uint32_t>(group.first + seen.rows);
        if (Status taken = running.arguments.apply(running.layout, {&state, 1}, {&at, 1}, false); !taken) return taken;
      }
      values.push_back(states.emplace_back(seen.state).value());
    }
  }
  out = running.layout.results(values);
  return {};
}

/// Rows that no frame reaches any more go.
void OverExact::trim(Group& group) const {
  std::size_t gone = group.answered - std::min(group.answered, rows_before_);
  // The next row that is answered may have the time of the last one, or of the last one that is kept.
  const std::int64_t from = group.answered < group.kept.size() ? group.kept[group.answered].timestamp : come_to_;
  std::size_t old = 0;
  while (ms_before_ >= 0 && old < gone && from - group.kept[old].timestamp > ms_before_) ++old;
  if (ms_before_ >= 0) gone = old;
  group.kept.erase(group.kept.begin(), group.kept.begin() + static_cast<std::ptrdiff_t>(gone));
  group.answered -= gone;
  for (Seen& seen : group.seen) seen.rows -= std::min(seen.rows, gone);
}

}  // namespace

MadeOperator make_over_exact(const OverNode& node, const LowerContext& lower) {
  const auto store =
      open_rows(lower.store("rows"), {.window_bytes = kWindowBytes, .advance_ms = 1, .retention_ms = kMillisPerDay});
  if (!store) return store.error();
  return std::make_unique<OverExact>(node, lower, **store);
}

}  // namespace millrace::inline exec
