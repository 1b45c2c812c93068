#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

/// Passes rows on, and writes those that the operator above finds late into a stream of their own.
class Late final : public Operator, public LateRows {
 public:
  Late(const LateNode& node, const LowerContext& lower)
      : node_(node), plan_(lower.node), context_(lower.context), items_(expressions_of(node.items), *node.input) {}

  Status on_batch(int, const Batch& in, Emitter& out) override { return out.batch(share(in)); }
  LateRows* late_rows() override { return this; }

  Status take(const Batch& in, std::span<const LateRow> rows) override {
    std::vector<std::uint32_t> which;
    for (const LateRow& row : rows) which.push_back(row.row);
    const Batch late = gather(in, which);
    RowErrors errors;
    Batch made;
    made.rows = late.rows;
    made.timestamps = late.timestamps;
    made.columns = items_.evaluate(late, std::nullopt, errors);
    if (errors.count != 0) context_.report(errors, late);
    set_null_keys(made);
    add(rows, &LateRow::by, made);
    if (node_.windows) {
      add(rows, &LateRow::start, made);
      add(rows, &LateRow::end, made);
    }
    return context_.write_late(plan_, std::move(made));
  }

 private:
  void set_null_keys(Batch& made) const {
    std::size_t keys = 0;
    while (keys < node_.items.size() && node_.items[keys].column.role == ColumnRole::key) ++keys;
    for (std::size_t row = 0; keys > 0 && row < made.rows; ++row) {
      bool any = false;
      for (std::size_t k = 0; k < keys; ++k) any = any || !made.columns[k]->is_null(row);
      if (!any) made.null_keys.set(row, made.rows);
    }
  }
  static void add(std::span<const LateRow> rows, std::int64_t LateRow::*number, Batch& made) {
    auto column = make_column(Type::bigint(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) column->values_mut<std::int64_t>()[i] = rows[i].*number;
    made.columns.push_back(std::move(column));
  }

  const LateNode& node_;
  const PlanNode& plan_;
  OperatorContext& context_;
  RowEvaluators items_;
};

}  // namespace

MadeOperator make_late(const LateNode& node, const LowerContext& lower) {
  return std::make_unique<Late>(node, lower);
}

}  // namespace millrace::inline exec
