#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/row_matches.h"
#include "exec/operators/row_versions.h"
#include "exec/operators/waiting_rows.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

constexpr std::int64_t kAtOnce = INT64_MIN;
constexpr std::int64_t kLastTime = 1LL << 48;

/// Stream rows meet the version of a table row that was there at a time which each says. With a grace they wait for
/// stream time to come to that time and the grace, and go in the order of their times.
class AsOfJoin final : public Operator {
 public:
  AsOfJoin(const AsOfJoinNode& node, OperatorContext& context, std::unique_ptr<RowVersions> versions,
           std::unique_ptr<WaitingRows> waiting)
      : context_(context),
        versions_(std::move(versions)),
        waiting_(std::move(waiting)),
        time_(node.time, context.parameters()),
        left_keys_(node.left->schema.key_count()),
        outer_(node.type == JoinType::left),
        grace_(node.grace_ms.value_or(0)),
        joined_(node.condition, outer_, context, versions_->codec(), versions_->keys().columns()) {}

  Status on_batch(int input, const Batch& in, Emitter& out) override {
    if (input == 1) return take_table(in, out);
    find_times(in);
    return waiting_ ? take_waiting(in, out) : answer(in, out);
  }
  Status on_time(int input, std::int64_t time, Emitter& out) override {
    if (input == 1) return {};  // a table says nothing about the stream
    if (!waiting_) return out.time(time);
    stream_time_ = std::max(stream_time_, time);
    if (Status given = release(stream_time_, out); !given) return given;
    return out.time(time - grace_);
  }
  Status on_commit(Emitter&) override {
    if (waiting_) waiting_->commit();
    return versions_->clean_up();
  }
  void save(std::string& bytes) const override {
    save_number(stream_time_, bytes);
    versions_->save(bytes);
    if (waiting_) waiting_->save(bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    versions_->load(bytes);
    if (waiting_) waiting_->load(bytes, stream_time_);
    return {};
  }

 private:
  Status take_table(const Batch& in, Emitter& out);
  void find_times(const Batch& in);
  Status take_waiting(const Batch& in, Emitter& out);
  Status answer(const Batch& in, Emitter& out);
  Status release(std::int64_t time, Emitter& out) {
    return waiting_->release(time, [&](Batch&& rows) {
      find_times(rows);
      return answer(rows, out);
    });
  }

  OperatorContext& context_;
  const std::unique_ptr<RowVersions> versions_;
  const std::unique_ptr<WaitingRows> waiting_;  // null: rows are answered at once
  Evaluator time_;
  const std::size_t left_keys_;
  const bool outer_;
  const std::int64_t grace_;
  RowMatches joined_;
  std::int64_t stream_time_ = INT64_MIN;  // with a grace

  // Of a batch: rows that may give a result, and of each the time of its version, absent where it can have none.
  std::vector<std::uint32_t> rows_;
  std::vector<std::optional<std::int64_t>> times_;

  // Scratch.
  std::vector<std::uint32_t> arrived_, keyed_;
  std::vector<std::int64_t> keyed_times_, due_, dues_;
  std::vector<RowMatches::Bytes> found_, matches_;
};

/// Rows that wait see what has come before the row that ends their waiting, and that row, so it is done row by row
/// where any wait for the times in this batch.
Status AsOfJoin::take_table(const Batch& in, Emitter& out) {
  const std::vector<std::uint32_t> rows = TableSide::news(in);
  if (rows.empty()) return {};
  if (Status begun = versions_->begin(in, rows); !begun) return begun;
  dues_.clear();
  std::int64_t newest = stream_time_;
  for (const std::uint32_t row : rows) newest = std::max(newest, (*in.timestamps)[row]);
  if (waiting_)
    if (Status known = waiting_->dues(newest, dues_); !known) return known;
  std::size_t taken = 0, next = 0;
  const auto take = [&](std::size_t to) -> Status {
    Result<std::size_t> late = versions_->take(in, std::exchange(taken, to), to);
    if (!late) return late.error();
    if (*late != 0) context_.late_rows(*late);
    return {};
  };
  for (std::size_t i = 0; i < rows.size() && next < dues_.size(); ++i) {
    stream_time_ = std::max(stream_time_, (*in.timestamps)[rows[i]]);
    if (dues_[next] > stream_time_) continue;
    if (Status done = take(i + 1); !done) return done;
    if (Status given = release(stream_time_, out); !given) return given;
    while (next < dues_.size() && dues_[next] <= stream_time_) ++next;
  }
  stream_time_ = newest;
  if (Status done = take(rows.size()); !done) return done;
  return waiting_ ? release(stream_time_, out) : Status{};
}

void AsOfJoin::find_times(const Batch& in) {
  Batch over = share(in);
  over.columns.insert(over.columns.begin(), in.columns.begin(),
                      in.columns.begin() + static_cast<std::ptrdiff_t>(left_keys_));
  RowErrors errors;
  const ColumnPtr times = time_.evaluate(over, errors);
  if (errors.count != 0) context_.report(errors, in);
  rows_.clear();
  times_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    if (in.null_values.test(row)) continue;
    const bool can_match = is_keyed(in, versions_->keys().columns(), row) && !times->is_null(row);
    if (!can_match && !outer_) continue;
    rows_.push_back(row);
    times_.push_back(can_match ? std::optional(times->values<std::int64_t>()[row]) : std::nullopt);
  }
}

/// As if each row were put among those that wait, and all that is due then went: rows that need not wait are rare.
Status AsOfJoin::take_waiting(const Batch& in, Emitter& out) {
  arrived_.swap(rows_);
  due_.clear();
  for (const auto& time : times_) due_.push_back(time ? std::min(*time, kLastTime) + grace_ : kAtOnce);
  std::size_t kept = 0;
  const auto keep = [&](std::size_t to) {
    const std::size_t from = std::exchange(kept, to);
    return waiting_->keep(in, std::span(arrived_).subspan(from, to - from), std::span(due_).subspan(from, to - from));
  };
  for (std::size_t i = 0; i < arrived_.size(); ++i) {
    const std::int64_t before = stream_time_;
    stream_time_ = std::max(stream_time_, (*in.timestamps)[arrived_[i]]);
    if (due_[i] > stream_time_) continue;
    if (Status done = keep(i); !done) return done;
    if (Status given = release(before, out); !given) return given;
    due_[i] = std::max(due_[i], waiting_->released());
    if (Status done = keep(i + 1); !done) return done;
    if (Status given = release(stream_time_, out); !given) return given;
  }
  if (Status done = keep(arrived_.size()); !done) return done;
  return release(stream_time_, out);
}

Status AsOfJoin::answer(const Batch& in, Emitter& out) {
  if (rows_.empty()) return {};
  keyed_.clear();
  keyed_times_.clear();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (!times_[i]) continue;
    keyed_.push_back(rows_[i]);
    keyed_times_.push_back(*times_[i]);
  }
  if (Status found = versions_->find(in, keyed_, keyed_times_, found_); !found) return found;
  matches_.clear();
  std::size_t next = 0;
  for (const auto& time : times_) matches_.push_back(time ? found_[next++] : std::nullopt);
  return joined_.give(in, rows_, matches_, out);
}

}  // namespace

MadeOperator make_as_of_join(const AsOfJoinNode& node, const LowerContext& lower) {
  if (node.type != JoinType::inner && node.type != JoinType::left)
    return user_error("a stream can only be joined with a table by an inner or a left join");
  auto versions = RowVersions::open(*node.right, lower.store("versions"), lower.store("due"), node.history_ms);
  if (!versions) return versions.error();
  std::unique_ptr<WaitingRows> waiting;
  if (node.grace_ms) {
    auto opened = WaitingRows::open(*node.left, lower.store("waiting"), *node.grace_ms);
    if (!opened) return opened.error();
    waiting = std::move(*opened);
  }
  return std::make_unique<AsOfJoin>(node, lower.context, std::move(*versions), std::move(waiting));
}

}  // namespace millrace::inline exec
