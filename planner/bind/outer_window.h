#pragma once

#include <optional>

#include "planner/bind/select_clauses.h"
#include "planner/bind/select_plan.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {

/// A WINDOW over final results of windows: each goes to the window that its own begins in, and that one is complete
/// when they are. So its start is one more key column of the groups, behind those of GROUP BY, by which they close.
class OuterWindow {
 public:
  /// Nothing where the rows of `plan` are no final results of windows. Throws for windows that cannot be had over them.
  static std::optional<OuterWindow> of(const SelectInput& input, const std::optional<WindowSpec>& window,
                                       const KeyedPlan& plan);

  ProjectItem start() const;
  /// `grouped` has `keys` key columns and the start behind them.
  void close(AggregateNode& grouped, std::size_t keys) const;
  /// The groups with their window: `keys` key columns, then those of `grouped`.
  NodePtr with_window(NodePtr grouped, std::size_t keys) const;

 private:
  WindowSpec spec_{};
};

}  // namespace millrace::inline planner
