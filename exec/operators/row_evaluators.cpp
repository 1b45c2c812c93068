#include "exec/operators/row_evaluators.h"

#include <algorithm>

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {

namespace {

/// Row i of `from` is rows[i] of `into`.
void add_errors(RowErrors& from, const std::vector<std::uint32_t>& rows, RowErrors& into) {
  for (RowErrors::Entry& entry : from.entries)
    if (into.entries.size() < RowErrors::kMaxKept) into.entries.push_back({rows[entry.row], std::move(entry.message)});
  into.count += from.count;
}

}  // namespace

std::optional<std::vector<std::uint32_t>> rows_with_value(const Batch& in, bool has_before) {
  if (in.null_values.empty() && (has_before || in.kinds.empty())) return std::nullopt;
  std::vector<std::uint32_t> rows;
  rows.reserve(in.rows);
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    const bool removed = !has_before && in.kind(row) == RowKind::remove;
    if (!removed && !in.null_values.test(row)) rows.push_back(row);
  }
  if (is_all(rows, in.rows)) return std::nullopt;
  return rows;
}

RowEvaluators::RowEvaluators(const std::vector<ExprPtr>& expressions, const PlanNode& input,
                             const ParameterRow* values) {
  const std::size_t keys = input.schema.key_count();
  for (const ExprPtr& expression : expressions) {
    std::vector<bool> used(input.schema.size());
    collect_columns(*expression, used);
    std::vector<PseudoColumn> pseudo;
    collect_pseudo_columns(*expression, pseudo);
    // The bounds of a window are a part of the key.
    bool reads_values = std::ranges::any_of(pseudo, [](PseudoColumn column) {
      return column != PseudoColumn::window_start && column != PseudoColumn::window_end;
    });
    for (std::size_t c = keys; c < used.size(); ++c) reads_values = reads_values || used[c];
    items_.push_back({Evaluator(expression, values), reads_values});
  }
}

std::vector<ColumnPtr> RowEvaluators::evaluate(const Batch& in,
                                               const std::optional<std::vector<std::uint32_t>>& with_value,
                                               RowErrors& errors, Bitmap* failed) {
  std::vector<ColumnPtr> out;
  out.reserve(items_.size());
  std::optional<Batch> compact;
  for (Item& item : items_) {
    Bitmap bad;
    if (!with_value || !item.reads_values) {
      out.push_back(failed ? item.evaluator.evaluate(in, errors, bad) : item.evaluator.evaluate(in, errors));
    } else if (with_value->empty()) {
      out.push_back(make_null_column(item.evaluator.type(), in.rows));
    } else {
      if (!compact) compact = gather(in, *with_value);
      Bitmap compact_bad;
      RowErrors compact_errors;
      const ColumnPtr column = item.evaluator.evaluate(*compact, compact_errors, compact_bad);
      add_errors(compact_errors, *with_value, errors);
      out.push_back(spread(*column, *with_value, in.rows));
      for (std::size_t i = 0; i < with_value->size(); ++i)
        if (compact_bad.test(i)) bad.set((*with_value)[i], in.rows);
    }
    if (failed == nullptr || bad.empty()) continue;
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (bad.test(row)) failed->set(row, in.rows);
  }
  return out;
}

}  // namespace millrace::inline exec
