#include <fmt/format.h>

#include <optional>

#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/predicate_index.h"

namespace millrace::inline exec {
namespace {

/// Streams: keeps rows whose predicate is TRUE.
class StreamFilter final : public Operator {
 public:
  StreamFilter(const FilterNode& node, OperatorContext& context)
      : predicate_(node.predicate, context.parameters()), context_(context) {
    const auto* source = node.input->as<SourceNode>();
    if (source == nullptr || source->internal || context.predicates() == nullptr) return;
    indexed_ = context.predicates()->add(*source, node.predicate);
    if (indexed_ && indexed_->rest()) rest_.emplace(indexed_->rest(), context.parameters());
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (!any_set(in.null_values, in.rows)) return filter(in, out);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row)) rows.push_back(row);
    return rows.empty() ? Status{} : filter(gather(in, rows), out);
  }

 private:
  Status filter(const Batch& in, Emitter& out) {
    if (!indexed_ || !indexed_->select(in, selected_)) return filter(in, predicate_, out);
    if (!rest_ || selected_.empty()) return hand_on(in, out);
    return filter(is_all(selected_, in.rows) ? share(in) : gather(in, selected_), *rest_, out);
  }
  Status filter(const Batch& in, Evaluator& predicate, Emitter& out) {
    RowErrors errors;
    predicate.select(in, errors, selected_);
    if (errors.count != 0) context_.report(errors, in);
    return hand_on(in, out);
  }
  Status hand_on(const Batch& in, Emitter& out) {
    if (selected_.empty()) return {};
    return out.batch(is_all(selected_, in.rows) ? share(in) : gather(in, selected_));
  }

  Evaluator predicate_;
  std::unique_ptr<PredicateIndex::Member> indexed_;  // null: the predicate is not of the kind
  std::optional<Evaluator> rest_;                    // what it leaves to say
  OperatorContext& context_;
  std::vector<std::uint32_t> selected_;
};

/// Tables: a row that does not pass is withdrawn. With before rows (`retract`) only rows that had passed are.
class TableFilter final : public Operator {
 public:
  TableFilter(const FilterNode& node, const LowerContext& lower)
      : predicate_(node.predicate, lower.context.parameters()),
        context_(lower.context),
        retract_(node.retract || lower.emit_before),
        emit_before_(lower.emit_before),
        keys_(lower.node.schema.key_count()) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (Status tested = test(in); !tested) return tested;
    rows_.clear();
    kinds_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (retract_) {
        if (is_update(in, row)) {
          add_update(row);
          ++row;
        } else if (passes_[row] != 0) {
          keep(row, in.kind(row));
        }
      } else if (in.kind(row) != RowKind::update_before) {
        keep(row, passes_[row] != 0 ? in.kind(row) : RowKind::remove);
      }
    }
    if (rows_.empty()) return {};
    Batch kept = gather(in, rows_);
    kept.kinds = kinds_;
    if (!emit_before_) null_removed(kept, keys_);
    return out.batch(std::move(kept));
  }

 private:
  /// Which rows pass. Removals without old values are not evaluated: they go on as they are.
  Status test(const Batch& in) {
    passes_.assign(in.rows, 0);
    RowErrors errors;
    std::vector<std::uint32_t> live;
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (retract_ || (in.kind(row) != RowKind::remove && in.kind(row) != RowKind::update_before)) live.push_back(row);
    }
    if (!live.empty()) {
      const Batch rows = is_all(live, in.rows) ? share(in) : gather(in, live);
      predicate_.select(rows, errors, selected_);
      for (const std::uint32_t row : selected_) passes_[live[row]] = 1;
      if (errors.count != 0) context_.report(errors, rows);
    }
    return {};
  }
  void keep(std::uint32_t row, RowKind kind) {
    rows_.push_back(row);
    kinds_.push_back(kind);
  }
  void add_update(std::uint32_t row) {
    const bool before = passes_[row] != 0, after = passes_[row + 1] != 0;
    if (before && after) {
      if (emit_before_) keep(row, RowKind::update_before);
      keep(row + 1, RowKind::update_after);
    } else if (before) {
      keep(row, RowKind::remove);
    } else if (after) {
      keep(row + 1, emit_before_ ? RowKind::insert : RowKind::update_after);
    }
  }

  Evaluator predicate_;
  OperatorContext& context_;
  bool retract_, emit_before_;
  std::size_t keys_;
  std::vector<std::uint8_t> passes_;
  std::vector<std::uint32_t> selected_, rows_;
  std::vector<RowKind> kinds_;
};

}  // namespace

MadeOperator make_filter(const FilterNode& node, const LowerContext& lower) {
  if (lower.node.kind == RelationKind::stream) return std::make_unique<StreamFilter>(node, lower.context);
  return std::make_unique<TableFilter>(node, lower);
}

}  // namespace millrace::inline exec
