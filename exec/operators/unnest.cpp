#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/parts.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

/// One row for each element of a list, with the element behind its columns. Of a table a row's elements are rows of
/// their own, under its key and their number.
class Unnest final : public Operator {
 public:
  Unnest(const UnnestNode& node, const LowerContext& lower)
      : list_({node.list}, *node.input),
        context_(lower.context),
        table_(lower.node.kind == RelationKind::table),
        keys_(node.input->schema.key_count()),
        outer_(node.outer),
        ordinality_(node.ordinality) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    RowErrors errors;
    const std::vector<ColumnPtr> lists = list_.evaluate(in, rows_with_value(in, table_), errors);
    if (errors.count != 0) context_.report(errors, in);
    picked_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (in.null_values.test(row)) continue;
      if (table_ && is_update(in, row)) {
        add_update(row, *lists[0]);
        ++row;
      } else {
        add_places(row, places(*lists[0], row), 0, in.kind(row));
      }
    }
    return give_changes(picked_, [&](std::span<const Picked> part) { return out.batch(make(in, *lists[0], part)); });
  }

 private:
  struct Picked {
    std::uint32_t row, element;
    std::uint32_t number;  // from 1; 0: the row has no elements
    RowKind kind;
  };
  /// The elements of a row, or its only place where it has none.
  struct Places {
    std::uint32_t first = 0, count = 0;
    bool lonely = false;
  };

  Places places(const Column& list, std::uint32_t row) const {
    if (list.is_null(row)) return {0, 0, outer_};
    const auto* offsets = list.data.as<std::uint32_t>();
    return {offsets[row], offsets[row + 1] - offsets[row], outer_ && offsets[row] == offsets[row + 1]};
  }
  void add_places(std::uint32_t row, const Places& of, std::uint32_t from, RowKind kind) {
    if (of.lonely) picked_.push_back({row, 0, 0, kind});
    for (std::uint32_t i = from; i < of.count; ++i) picked_.push_back({row, of.first + i, i + 1, kind});
  }
  /// What is there no more goes, what was there changes, the others come.
  void add_update(std::uint32_t before, const Column& list) {
    Places old = places(list, before), now = places(list, before + 1);
    const std::uint32_t common = std::min(old.count, now.count);
    const auto add_pair = [&](std::uint32_t old_element, std::uint32_t element, std::uint32_t number) {
      picked_.push_back({before, old_element, number, RowKind::update_before});
      picked_.push_back({before + 1, element, number, RowKind::update_after});
    };
    const bool stays = old.lonely && now.lonely;
    if (stays) old.lonely = now.lonely = false;
    add_places(before, old, common, RowKind::remove);
    if (stays) add_pair(0, 0, 0);
    for (std::uint32_t i = 0; i < common; ++i) add_pair(old.first + i, now.first + i, i + 1);
    add_places(before + 1, now, common, RowKind::insert);
  }

  Batch make(const Batch& in, const Column& list, std::span<const Picked> part) {
    rows_.clear();
    for (const Picked& picked : part) rows_.push_back(picked.row);
    Batch made = gather(in, rows_);
    const std::vector<ColumnPtr> own =
        table_ ? std::vector<ColumnPtr>(made.columns.begin(), made.columns.begin() + static_cast<std::ptrdiff_t>(keys_))
               : std::vector<ColumnPtr>();
    const ColumnPtr number = table_ || ordinality_ ? numbers(part) : nullptr;
    if (table_) {
      made.columns.insert(made.columns.begin(), number);
      made.columns.insert(made.columns.begin(), own.begin(), own.end());
      made.kinds.clear();
      for (const Picked& picked : part) made.kinds.push_back(picked.kind);
    }
    picks_.clear();
    for (const Picked& picked : part) picks_.push_back(picked.number == 0 ? Pick{} : Pick{0, picked.element});
    for (const auto& child : list.children) {
      const Column* items = child.get();
      std::shared_ptr<Column> column = interleave(items->type, {&items, 1}, picks_);
      column->keep_alive(list);
      made.columns.push_back(std::move(column));
    }
    if (ordinality_) made.columns.push_back(number);
    return made;
  }
  static ColumnPtr numbers(std::span<const Picked> part) {
    auto column = make_column(Type::bigint(), part.size());
    auto* values = column->values_mut<std::int64_t>();
    for (std::size_t i = 0; i < part.size(); ++i) {
      values[i] = part[i].number;
      if (part[i].number == 0) column->nulls.set(i, part.size());
    }
    return column;
  }

  RowEvaluators list_;
  OperatorContext& context_;
  const bool table_;
  const std::size_t keys_;
  const bool outer_, ordinality_;
  std::vector<Picked> picked_;
  std::vector<std::uint32_t> rows_;
  std::vector<Pick> picks_;
};

}  // namespace

MadeOperator make_unnest(const UnnestNode& node, const LowerContext& lower) {
  return std::make_unique<Unnest>(node, lower);
}

}  // namespace millrace::inline exec
