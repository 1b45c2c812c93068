#include "exec/data/wall_clock.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Gives rows the time of an expression, or of the clock.
class Retime final : public Operator {
 public:
  Retime(const RetimeNode& node, const LowerContext& lower) : context_(lower.context) {
    if (!node.time.empty()) time_.emplace(node.time[0].expr);
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (!time_) {
      Batch made = share(in);
      made.timestamps = std::make_shared<const std::vector<std::int64_t>>(in.rows, now());
      return out.batch(std::move(made));
    }
    RowErrors errors, left_out;
    const ColumnPtr times = time_->evaluate(in, errors);
    if (errors.count != 0) context_.report(errors, in);
    std::vector<std::uint32_t> rows;
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      const bool timed = !times->is_null(row) && times->values<std::int64_t>()[row] >= 0;
      if (!timed) {
        left_out.add(row, "The time of the window is NULL or negative. The row is left out.");
        continue;
      }
      rows.push_back(row);
      timestamps->push_back(times->values<std::int64_t>()[row]);
    }
    if (left_out.count != 0) context_.report(left_out, in);
    if (rows.empty()) return {};
    Batch made = is_all(rows, in.rows) ? share(in) : gather(in, rows);
    made.timestamps = std::move(timestamps);
    return out.batch(std::move(made));
  }
  /// Its rows have another time than those of its input. The clock goes on for all that comes.
  Status on_time(int, std::int64_t, Emitter& out) override { return time_ ? Status{} : out.time(now()); }
  void save(std::string& bytes) const override {
    if (!time_) save_number(last_, bytes);
  }
  Status load(std::string_view bytes) override {
    if (!time_) last_ = load_number(bytes, 0);
    return {};
  }

 private:
  /// Never goes back, whatever the clock does.
  std::int64_t now() {
    last_ = std::max(last_, wall_clock_ms());
    return last_;
  }

  OperatorContext& context_;
  std::int64_t last_ = 0;
  std::optional<Evaluator> time_;
};

}  // namespace

MadeOperator make_retime(const RetimeNode& node, const LowerContext& lower) {
  return std::make_unique<Retime>(node, lower);
}

}  // namespace millrace::inline exec
