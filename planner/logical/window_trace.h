#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// Which windows the rows of a relation belong to, and where it says so.
struct WindowTrace {
  std::optional<std::int64_t> size_ms;         // of windows of a fixed size
  bool own = false;                            // its key has the window: WINDOWSTART and WINDOWEND
  std::vector<std::size_t> starts, ends = {};  // columns that hold a bound
  bool final = false;  // each row comes once, and the relation's time says which windows are complete

  bool is_start(std::size_t column) const;
  bool is_end(std::size_t column) const;
};

/// Nothing: it is not made of windows.
std::optional<WindowTrace> trace_windows(const PlanNode& node);

/// Final results whose key says which window they are of: they are complete when the relation's time has come to the
/// value of key column `key`, plus `after` ms.
struct ClosingKey {
  std::int64_t key, after;
  std::int64_t size_ms;  // of these windows, about
};
std::optional<ClosingKey> closing_key_of(const PlanNode& node);

/// For how long behind stream time rows with windows matter: as long as those of the aggregate or table that they come
/// from. Nothing: that is not known.
std::optional<std::int64_t> kept_for(const PlanNode& node);

/// Whether the operator of `node` lives by the time of that input (Operator::on_time); `above`: somebody above lives by
/// the time of the node.
bool needs_time(const PlanNode& node, std::size_t input, bool above);

/// Whether the stream time of the node's operator is moved by the rows of that input, or by what is said of it where
/// they were moved between partitions (millrace.time.alignment); `above`: so is that of somebody above who gets them as
/// they are.
bool can_align(const PlanNode& node, std::size_t input, bool above);
/// Whether it is what is said of it, for who reads `input`.
bool time_is_told(const PlanNode& input);

}  // namespace millrace::inline planner
