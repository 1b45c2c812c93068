#pragma once

#include <functional>
#include <vector>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// What look-up extraction needs to know of a pull query.
struct PullSource {
  const SourceDef& def;
  /// The key column that an expression is, or null.
  std::function<const ColumnDef*(const ast::ExprPtr&)> key_of;
  /// The window bound that an expression is, if any.
  std::function<std::optional<PseudoColumn>(const ast::ExprPtr&)> bound_of;
  /// A constant as a literal or a parameter of `type`; null when it is not constant, NULL or does not fit. Bounds of
  /// windows: BIGINT.
  std::function<ExprPtr(const ast::ExprPtr&, const Type&, bool time)> constant;
  std::function<bool(const ast::ExprPtr&)> is_column;
  std::function<std::string(const ast::ExprPtr&)> show;
  /// The column of the table that an expression is, or null.
  std::function<const ColumnDef*(const ast::ExprPtr&)> column_of = {};
  std::vector<IndexPtr> indexes = {};  // of the table
  bool table_scan = true;
  bool range_scan = true;
};

/// How to find the rows that a predicate (null: none) accepts. With table scans off, throws for what needs one.
BoundPull::Access find_access(const ast::ExprPtr& predicate, const PullSource& source);

/// ` See … for more info. …`, which ends the messages about pull queries.
std::string pull_help();

}  // namespace millrace::inline planner
