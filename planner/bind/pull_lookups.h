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
  /// A constant as a value of `type`; nullopt when it is not constant or does not fit. Windows bounds: BIGINT.
  std::function<std::optional<Value>(const ast::ExprPtr&, const Type&, bool time)> constant;
  std::function<bool(const ast::ExprPtr&)> is_column;
  std::function<std::string(const ast::ExprPtr&)> show;
  bool table_scan = true;
  bool range_scan = true;
};

/// Constraints per disjunct of the predicate (null: none). With table scans off, throws for what needs one.
std::vector<BoundPull::Lookup> find_lookups(const ast::ExprPtr& predicate, const PullSource& source);

/// ` See … for more info. …`, which ends the messages about pull queries.
std::string pull_help();

}  // namespace millrace::inline planner
