#include <fmt/format.h>

#include "exec/data/equal.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

std::vector<std::string> dropped_messages(std::size_t keys) {
  std::vector<std::string> messages;
  for (std::size_t k = 0; k < keys; ++k)
    messages.push_back(fmt::format(
        "Group-by column with index {} resolved to null. The source row will be excluded from the table.", k));
  return messages;
}

/// Gives rows a new key; every input column follows as a value column.
class Rekey final : public Operator {
 public:
  Rekey(const RekeyNode& node, const LowerContext& lower)
      : keys_(expressions_of(node.keys), *node.input),
        context_(lower.context),
        drop_(node.null_key == NullKey::drop),
        dropped_messages_(dropped_messages(node.keys.size())),
        table_(lower.node.kind == RelationKind::table),
        window_(lower.node.window.has_value()),
        emit_before_(lower.emit_before || table_) {
    if (window_) bounds_.emplace(std::vector<ExprPtr>{node.window_start, node.window_end}, *node.input);
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    RowErrors errors;
    Bitmap failed;
    std::vector<ColumnPtr> keys = keys_.evaluate(in, rows_with_value(in, emit_before_), errors, &failed);
    if (errors.count != 0) context_.report(errors, in);
    Batch made = share_frame(in);
    made.window_start = made.window_end = nullptr;
    if (bounds_) set_window(in, made);
    made.null_keys.clear();
    made.columns = std::move(keys);
    made.columns.insert(made.columns.end(), in.columns.begin(), in.columns.end());
    if (table_) part_moved_pairs(made);
    if (!drop_) {
      mark_null_keys(made);
      return out.batch(std::move(made));
    }
    if (all_keyed(made)) return out.batch(std::move(made));
    report_dropped(made, failed, in);
    std::vector<std::uint32_t> rows = keyed_rows(made);
    if (rows.empty()) return {};
    Batch kept = gather(made, rows);
    if (table_) repair_pairs(kept, rows, in);
    return out.batch(std::move(kept));
  }

 private:
  void set_window(const Batch& in, Batch& made) {
    RowErrors errors;
    const std::vector<ColumnPtr> bounds = bounds_->evaluate(in, std::nullopt, errors);
    const auto values = [](const Column& column) {
      const auto span = column.values<std::int64_t>();
      return std::make_shared<const std::vector<std::int64_t>>(span.begin(), span.end());
    };
    made.window_start = values(*bounds[0]);
    made.window_end = values(*bounds[1]);
  }
  /// A key of one column is absent when that is NULL; one of several columns is there even if all are.
  void mark_null_keys(Batch& batch) const {
    if (keys_.size() > 1) return;
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      bool absent = true;
      for (std::size_t k = 0; k < keys_.size() && absent; ++k) absent = batch.columns[k]->is_null(row);
      if (absent) batch.null_keys.set(row, batch.rows);
    }
  }
  bool all_keyed(const Batch& batch) const {
    bool all = !any_set(batch.null_values, batch.rows);
    for (std::size_t k = 0; k < keys_.size() && all; ++k) all = !any_set(batch.columns[k]->nulls, batch.rows);
    return all;
  }
  std::vector<std::uint32_t> keyed_rows(const Batch& batch) const {
    std::vector<std::uint32_t> rows;
    rows.reserve(batch.rows);
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      bool keep = !batch.null_values.test(row);
      for (std::size_t k = 0; k < keys_.size() && keep; ++k) keep = !batch.columns[k]->is_null(row);
      if (keep) rows.push_back(row);
    }
    return rows;
  }
  /// Tells of rows that belong to no group. One whose key failed has been told of.
  void report_dropped(const Batch& batch, const Bitmap& failed, const Batch& in) const {
    RowErrors dropped;
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      const RowKind kind = batch.kind(row);
      if (batch.null_values.test(row) || kind == RowKind::update_before || kind == RowKind::remove) continue;
      std::size_t k = 0;
      while (k < keys_.size() && !batch.columns[k]->is_null(row)) ++k;
      if (k == keys_.size() || failed.test(row)) continue;
      dropped.add(row, dropped_messages_[k]);
    }
    if (dropped.count != 0) context_.report(dropped, in);
  }
  /// An update whose key changes is no longer one change: the two halves may go different ways.
  void part_moved_pairs(Batch& batch) const {
    for (std::size_t row = 0; row + 1 < batch.rows; ++row) {
      if (batch.kind(row) != RowKind::update_before || batch.kind(row + 1) != RowKind::update_after) continue;
      bool same = true;
      for (std::size_t k = 0; k < keys_.size() && same; ++k)
        same = equal_values(*batch.columns[k], row, *batch.columns[k], row + 1);
      if (same) continue;
      batch.kinds[row] = RowKind::remove;
      batch.kinds[row + 1] = RowKind::insert;
    }
  }
  /// Half of an update may have been dropped: the other half is then a removal or an insert.
  static void repair_pairs(Batch& kept, const std::vector<std::uint32_t>& rows, const Batch& in) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const RowKind kind = in.kind(rows[i]);
      const bool next = i + 1 < rows.size() && rows[i + 1] == rows[i] + 1;
      const bool previous = i > 0 && rows[i - 1] + 1 == rows[i];
      if (kind == RowKind::update_before && !next) kept.kinds[i] = RowKind::remove;
      if (kind == RowKind::update_after && (!previous || in.kind(rows[i] - 1) != RowKind::update_before))
        kept.kinds[i] = RowKind::insert;
    }
  }

  RowEvaluators keys_;
  OperatorContext& context_;
  bool drop_;
  std::vector<std::string> dropped_messages_;  // by the index of the key column that is NULL
  bool table_, window_, emit_before_;
  std::optional<RowEvaluators> bounds_;  // of the window that the new key has
};

}  // namespace

MadeOperator make_rekey(const RekeyNode& node, const LowerContext& lower) {
  return std::make_unique<Rekey>(node, lower);
}

}  // namespace millrace::inline exec
