#pragma once

#include <optional>

#include "planner/bind/select_clauses.h"
#include "planner/bind/select_plan.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {

/// A WINDOW over results of windows: each goes to the window that its own begins in. So its start is one more key
/// column of the groups, behind those of GROUP BY. Over final results it is complete when those are, by which groups
/// close; over a table, groups change with its rows, and are kept for the RETENTION.
class OuterWindow {
 public:
  /// Nothing where the rows of `plan` are no results of windows. Throws for windows that cannot be had over them.
  static std::optional<OuterWindow> of(const SelectInput& input, const std::optional<WindowSpec>& window,
                                       const KeyedPlan& plan);

  /// The rows, once for each window that they go to.
  NodePtr spread(NodePtr rows);
  ProjectItem start() const;
  /// `grouped` has `keys` key columns and the start behind them.
  void close(AggregateNode& grouped, std::size_t keys) const;
  /// The groups with their window: `keys` key columns, then those of `grouped`.
  NodePtr with_window(NodePtr grouped, std::size_t keys) const;

 private:
  static OuterWindow over_table(const SelectInput& input, const WindowSpec& window);

  WindowSpec spec_{};
  bool table_ = false;
  std::optional<std::size_t> start_at_;  // of rows that are spread
};

}  // namespace millrace::inline planner
