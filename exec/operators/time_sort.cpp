#include <algorithm>

#include "exec/operators/lower.h"
#include "exec/operators/waiting_rows.h"
#include "exec/operators/windows.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline exec {
namespace {

/// Gives out rows in the order of their times: those that are over.
class TimeSort final : public Operator {
 public:
  TimeSort(const TimeSortNode& node, const LowerContext& lower, std::unique_ptr<WaitingRows> waiting)
      : context_(lower.context),
        waiting_(std::move(waiting)),
        grace_(node.grace_ms),
        aligned_(time_is_told(*node.input)) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    rows_.clear();
    times_.clear();
    late_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      const std::int64_t time = (*in.timestamps)[row];
      if (!aligned_) stream_time_ = std::max(stream_time_, time);
      if (time < over()) {
        late_.push_back({row, over() - time});
        continue;
      }
      rows_.push_back(row);
      times_.push_back(time);
    }
    if (Status told = context_.late_rows(in, late_); !told) return told;
    if (Status kept = waiting_->keep(in, rows_, times_); !kept) return kept;
    if (Status given = give(out); !given) return given;
    return tell(out);
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    stream_time_ = std::max(stream_time_, time);
    if (Status given = give(out); !given) return given;
    return tell(out);
  }
  Status on_commit(Emitter&) override {
    waiting_->commit();
    return {};
  }
  void save(std::string& bytes) const override {
    save_number(stream_time_, bytes);
    waiting_->save(bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    waiting_->load(bytes, over());
    return {};
  }

 private:
  /// Rows up to this time go out; those before it have gone.
  std::int64_t over() const { return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - grace_; }

  /// What comes from here on is not older than that.
  Status tell(Emitter& out) { return stream_time_ == INT64_MIN ? Status{} : out.time(over()); }

  Status give(Emitter& out) {
    return waiting_->release(over(), [&](Batch&& rows) { return out.batch(std::move(rows)); });
  }

  OperatorContext& context_;
  const std::unique_ptr<WaitingRows> waiting_;
  const std::int64_t grace_;
  const bool aligned_;  // rows do not move stream time
  std::int64_t stream_time_ = INT64_MIN;
  std::vector<std::uint32_t> rows_;
  std::vector<std::int64_t> times_;
  std::vector<LateRow> late_;
};

}  // namespace

MadeOperator make_time_sort(const TimeSortNode& node, const LowerContext& lower) {
  auto waiting = WaitingRows::open(*node.input, lower.store("rows"), node.grace_ms);
  if (!waiting) return waiting.error();
  return std::make_unique<TimeSort>(node, lower, std::move(*waiting));
}

}  // namespace millrace::inline exec
