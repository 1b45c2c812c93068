#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "exec/functions/window_function.h"
#include "exec/operators/group_values.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Calls over all rows from the first one on, which need not be kept for them: the aggregates of OverNodes over streams
/// that begin there.
bool is_running(const OverCall& call, const OverNode& node);

/// What the calls of an OverNode give for rows that lie beside each other, partition by partition, in order. Columns
/// of the rows are those of the node's input.
class OverValues {
 public:
  /// `running`: with the calls that are so, too.
  explicit OverValues(const OverNode& node, bool running = false);
  ~OverValues();

  /// How many rows before and behind one that changes may get another value by it, and how many on either side of each
  /// of those have to be known; absent: any.
  std::optional<std::size_t> reach() const { return reach_; }

  /// `rows`: in order. `order`: their places in the order (SortBytes). A part is a partition, of which at least what
  /// `reach` asks for is there, and the rows that are asked about. Failures of arguments go to `errors`, by row.
  Status evaluate(const Batch& rows, std::span<const std::string_view> order, std::span<const WindowRows::Part> parts,
                  RowErrors& errors, std::vector<ColumnPtr>& out);

  /// The columns of the calls, as a schema of values.
  const Schema& schema() const { return schema_; }

 private:
  class Call;
  class FunctionCall;
  class FrameAggregate;

  Schema schema_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::optional<std::size_t> reach_ = 0;
  std::vector<std::uint32_t> peers_;
};

/// Ends of frames of rows in order, by number of rows or by the value that they are ordered by.
class FrameFinder {
 public:
  /// `order`: what rows are ordered by; null where frames do not go by it. `to_row`: what is equal to the current row
  /// in the order and stands behind it has not come yet.
  FrameFinder(const OverFrame& frame, const SortKey* order, bool to_row);
  /// How many rows before (behind) a row its frame has, at most; SIZE_MAX: any number.
  std::size_t rows_before() const;
  std::size_t rows_behind() const;
  /// A frame per row that is asked about.
  void find(const Batch& rows, std::span<const std::uint32_t> peers, std::span<const WindowRows::Part> parts,
            RowErrors& errors, std::vector<WindowRows::Frame>& out);

 private:
  struct Place;  // a value of the order, as a number
  std::uint32_t start_of(const WindowRows::Part& part, std::uint32_t row, std::span<const std::uint32_t> peers) const;
  std::uint32_t end_of(const WindowRows::Part& part, std::uint32_t row, std::span<const std::uint32_t> peers) const;
  bool by_value() const;
  std::uint32_t search(const WindowRows::Part& part, std::uint32_t row, bool following, std::int64_t by, double real,
                       bool end) const;

  const OverFrame frame_;
  std::optional<Evaluator> order_;
  const bool descending_, nulls_first_, to_row_;
  bool real_ = false;
  std::vector<Int128> whole_values_;
  std::vector<double> real_values_;
  std::vector<std::uint8_t> nulls_;
};

}  // namespace millrace::inline exec
