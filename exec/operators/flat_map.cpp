#include <algorithm>

#include "exec/functions/table_function.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

/// Appends one column per table function: one row per element, shorter lists padded with NULL.
class FlatMap final : public Operator {
 public:
  FlatMap(const FlatMapNode& node, const LowerContext& lower) : context_(lower.context) {
    for (const TableCall& call : node.calls)
      calls_.push_back({make_table_function(call), RowEvaluators(call.arguments, *node.input)});
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (!any_set(in.null_values, in.rows)) return expand(in, out);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row)) rows.push_back(row);
    return rows.empty() ? Status{} : expand(gather(in, rows), out);
  }

 private:
  struct Call {
    std::unique_ptr<TableFunction> function;
    RowEvaluators arguments;
  };

  Status expand(const Batch& in, Emitter& out) {
    RowErrors errors;
    std::vector<ColumnPtr> lists;
    for (Call& call : calls_)
      lists.push_back(call.function->apply(call.arguments.evaluate(in, std::nullopt, errors), in.rows, errors));
    if (errors.count != 0) context_.report(errors, in);
    std::vector<std::uint32_t> rows;
    std::vector<std::vector<Pick>> picks(lists.size());
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      add_row(lists, row, rows, picks);
      if (rows.size() < kMaxBatchRows) continue;
      if (Status given = give(in, lists, rows, picks, out); !given) return given;
    }
    return give(in, lists, rows, picks, out);
  }
  static void add_row(const std::vector<ColumnPtr>& lists, std::uint32_t row, std::vector<std::uint32_t>& rows,
                      std::vector<std::vector<Pick>>& picks) {
    std::uint32_t longest = 0;
    for (const ColumnPtr& list : lists) {
      const auto* offsets = list->data.as<std::uint32_t>();
      longest = std::max(longest, offsets[row + 1] - offsets[row]);
    }
    rows.insert(rows.end(), longest, row);
    for (std::size_t c = 0; c < lists.size(); ++c) {
      const auto* offsets = lists[c]->data.as<std::uint32_t>();
      for (std::uint32_t i = 0; i < longest; ++i)
        picks[c].push_back(offsets[row] + i < offsets[row + 1] ? Pick{0, offsets[row] + i} : Pick{});
    }
  }
  Status give(const Batch& in, const std::vector<ColumnPtr>& lists, std::vector<std::uint32_t>& rows,
              std::vector<std::vector<Pick>>& picks, Emitter& out) {
    if (rows.empty()) return {};
    Batch made = gather(in, rows);
    for (std::size_t c = 0; c < lists.size(); ++c) {
      const Column* items = lists[c]->children[0].get();
      std::shared_ptr<Column> column = interleave(items->type, {&items, 1}, picks[c]);
      column->keep_alive(*lists[c]);
      made.columns.push_back(std::move(column));
      picks[c].clear();
    }
    rows.clear();
    return out.batch(std::move(made));
  }

  std::vector<Call> calls_;
  OperatorContext& context_;
};

}  // namespace

MadeOperator make_flat_map(const FlatMapNode& node, const LowerContext& lower) {
  return std::make_unique<FlatMap>(node, lower);
}

}  // namespace millrace::inline exec
