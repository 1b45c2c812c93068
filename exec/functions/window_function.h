#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/data/column.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Rows that stand in order, one or more groups of them, and what is asked about them.
struct WindowRows {
  /// A group of rows [first, end), of which [from, to) are asked about. Groups follow one another.
  struct Part {
    std::uint32_t first, end, from, to;
  };
  struct Frame {
    std::uint32_t start, end;  // rows of the batch; none where start >= end
  };
  std::span<const Part> parts;
  std::span<const std::uint32_t> peers;  // by row: the first row of its group that is equal to it in the order
  std::span<const Frame> frames;         // by row that is asked about, in order
  std::size_t asked() const { return frames.size(); }
};

/// A function that there is for windows only, specialised to a call. Immutable.
class WindowFunction {
 public:
  virtual ~WindowFunction() = default;
  /// One row for each row that is asked about. `arguments` are over all rows.
  virtual ColumnPtr evaluate(const WindowRows& rows, std::span<const ColumnPtr> arguments) const = 0;
  /// Whether its value can be told from the rows of its frame.
  virtual bool looks_at_frame() const { return false; }
  /// How many rows before and behind its own it looks at; SIZE_MAX: any.
  virtual std::size_t rows_before() const { return SIZE_MAX; }
  virtual std::size_t rows_behind() const { return SIZE_MAX; }
};

/// Precondition: the call's function is one of builtin_functions() of that kind, and its arguments fit.
std::unique_ptr<WindowFunction> make_window_function(const OverCall& call);

}  // namespace millrace::inline exec
