#pragma once

#include "planner/bind/select_items.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// Gives a plan another key: PARTITION BY, and what GROUP BY needs.
class KeyChange {
 public:
  KeyChange(const SelectInput& input, Scope& scope, const Clauses& clauses, ItemNames& names)
      : input_(input), scope_(scope), clauses_(clauses), names_(names) {}

  /// PARTITION BY, when there is one. Returns by how many columns all others moved.
  std::size_t partition(KeyedPlan& plan);
  /// All rows have the key ROWKEY = 0: aggregates without GROUP BY.
  void give_single(KeyedPlan& plan);
  /// Rows move to where `exprs` say; `more`: a key column behind them that is no part of the plan's key.
  void rekey(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs, NullKey null_key,
             std::optional<ProjectItem> more = {});
  /// The same once for each set of them; bit i of a set: it has exprs[i]. Those that it lacks are NULL.
  void rekey_sets(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs, const std::vector<std::size_t>& sets);

 private:
  void check_partition() const;
  std::size_t partition_table(KeyedPlan& plan);
  std::string key_name(const ast::ExprPtr& expr);

  const SelectInput& input_;
  Scope& scope_;
  const Clauses& clauses_;
  ItemNames& names_;
};

}  // namespace millrace::inline planner
