#pragma once

#include <memory>
#include <span>
#include <vector>

#include "exec/functions/aggregate.h"
#include "exec/operators/lower.h"
#include "exec/operators/row_evaluators.h"
#include "exec/operators/store_keys.h"
#include "exec/state/key_table.h"
#include "exec/state/value_layout.h"

namespace millrace::inline exec {

/// The value of a group in a store: a timestamp and the states of all aggregates side by side.
class GroupLayout final : public ValueLayout {
 public:
  /// `holds_distinct`: what DISTINCT calls have seen is in the states; else somebody else chooses their rows.
  GroupLayout(std::span<const AggregateCall> calls, bool holds_distinct);
  /// As the node's operator keeps it.
  explicit GroupLayout(const AggregateNode& node)
      : GroupLayout(node.calls, node.window && node.window->type == WindowType::session) {}

  std::size_t size() const override { return base_ + row_.size; }
  bool trivial() const override { return row_.trivial; }
  void copy(const std::byte* from, std::byte* to) const override;
  void destroy(std::byte* value) const override;
  void encode(const std::byte* value, std::string& out) const override;
  bool decode(std::string_view in, std::byte* value) const override;
  std::size_t heap_bytes(const std::byte* value) const override;

  /// An empty group in raw bytes, at no time yet.
  void init(std::byte* value) const;
  /// Adds what `from` has seen to `into`, the earlier one.
  Status merge(std::byte* into, const std::byte* from) const;

  /// Appends the states alone, without the timestamp.
  void encode_states(const std::byte* value, std::string& out) const;
  /// values[i] takes in what the group that `states[i]` was encoded of had seen, but for its timestamp. A value may
  /// occur many times. The views are used up.
  Status merge_states(std::span<std::byte* const> values, std::span<std::string_view> states) const;

  std::size_t calls() const { return aggregates_.size(); }
  const Aggregate& aggregate(std::size_t call) const { return *aggregates_[call]; }
  std::size_t offset(std::size_t call) const { return base_ + row_.offsets[call]; }
  /// Whose arguments the call's aggregate takes: its own alone, or those of so many calls, from it on; 0: another one
  /// takes them (PackedLatest).
  std::size_t takes(std::size_t call) const { return takes_[call]; }
  /// One column per aggregate from group values.
  std::vector<ColumnPtr> results(std::span<const std::byte* const> values) const;

 private:
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  std::vector<std::size_t> takes_;  // by call
  AggregateRow row_;
  std::size_t base_;  // offset of the first state
};

/// Rows, and the groups that take them.
struct ChosenRows {
  std::vector<std::byte*> values;
  std::vector<std::uint32_t> rows;
  void clear() {
    values.clear();
    rows.clear();
  }
};

class GroupArguments;
/// Chooses the rows that reach DISTINCT calls.
class DistinctRows {
 public:
  virtual ~DistinctRows() = default;
  /// values[i], the value of groups[i], takes rows[i].
  virtual Status choose(const GroupArguments& arguments, std::span<Entry* const> groups,
                        std::span<std::byte* const> values, std::span<const std::uint32_t> rows, bool undo) = 0;
  /// What was chosen for a call.
  virtual const ChosenRows& chosen(std::size_t call) const = 0;
};

/// The arguments of all calls of an aggregate and the conditions of FILTER, each condition once, computed for a batch.
class GroupArguments {
 public:
  GroupArguments(std::span<const AggregateCall> calls, const PlanNode& input);
  /// Computes the arguments of every row of `in`.
  void evaluate(const Batch& in, RowErrors& errors);
  /// Takes rows into (or, `undo`, out of) the groups, in order; values[i] takes rows[i].
  Status apply(const GroupLayout& layout, std::span<std::byte* const> values, std::span<const std::uint32_t> rows,
               bool undo);
  /// All rows into one group.
  Status apply_all(const GroupLayout& layout, std::byte* value, std::size_t rows);
  /// The same where somebody else keeps what DISTINCT calls have seen.
  Status apply(const GroupLayout& layout, std::span<Entry* const> groups, std::span<std::byte* const> values,
               std::span<const std::uint32_t> rows, bool undo, DistinctRows* distinct);

  std::span<const ColumnPtr> columns(std::size_t call) const { return columns_[call]; }
  /// Whether a row reaches the call, as its FILTER says.
  bool passes(std::size_t call, std::uint32_t row) const {
    return filter_of_[call] < 0 || filters_[static_cast<std::size_t>(filter_of_[call])].passes[row] != 0;
  }

 private:
  /// What the call's aggregate takes.
  std::span<const ColumnPtr> arguments(const GroupLayout& layout, std::size_t call);

  struct Filter {
    ExprPtr condition;
    Evaluator evaluator;
    std::vector<std::uint32_t> selected;
    std::vector<std::uint8_t> passes;  // by row
    ChosenRows chosen;
  };
  std::vector<RowEvaluators> calls_;
  std::vector<std::vector<ColumnPtr>> columns_;
  std::vector<ColumnPtr> packed_;
  std::vector<Filter> filters_;
  std::vector<int> filter_of_;  // by call; -1: none
  std::vector<bool> distinct_;  // by call
};

/// The batch that an aggregate gives for some groups.
/// `kinds` may be empty (then all update_after).
Batch group_batch(const StoreKeys& keys, const GroupLayout& layout, std::span<const std::string_view> key_bytes,
                  std::span<const std::byte* const> values, std::vector<std::int64_t> timestamps,
                  std::vector<RowKind> kinds);

/// Rows that an aggregate takes in: with a value and, but for a `global` one, with a key. Absent: all.
std::optional<std::vector<std::uint32_t>> countable_rows(const Batch& in, bool global);

}  // namespace millrace::inline exec
