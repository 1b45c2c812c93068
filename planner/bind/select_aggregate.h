#pragma once

#include <map>
#include <optional>
#include <vector>

#include "planner/bind/expr_binder.h"
#include "planner/bind/select_keys.h"

namespace millrace::inline planner {

/// GROUP BY, WINDOW, HAVING and the aggregates of a query.
class Aggregation {
 public:
  /// ranked: it is ranked what the groups give.
  Aggregation(const SelectInput& input, const Scope& scope, const Clauses& clauses, bool ranked = false)
      : input_(input), scope_(scope), clauses_(clauses), ranked_(ranked) {}

  void apply(KeyedPlan& plan, KeyChange& key);
  /// The same for rows that are read once: a pull query. `order`: of ORDER BY, qualified.
  /// Without HAVING: that is for `bind_having`.
  BoundPull::Groups group(const std::vector<ast::ExprPtr>& order);
  /// HAVING over the groups; null: none. `first` is asked before every node of it, null: nothing is.
  ExprPtr bind_having(const std::function<ExprPtr(const ast::ExprPtr&)>& first = {}) const;
  /// What an item of the SELECT list reads of the grouped rows; null: bind it as it is.
  ExprPtr replace_item(const ast::ExprPtr& expr) const;
  /// An accumulator holds an array, map or struct.
  bool structured() const;

 private:
  void collect(const ast::ExprPtr& expr);
  void check_nested(const ast::ExprPtr& expr) const;
  void check_sources(const KeyedPlan& plan) const;
  void check_final(bool windowed) const;
  bool close_by_key(AggregateNode& grouped) const;
  void key_by_bounds(KeyedPlan& plan);
  void keep_late(KeyedPlan& plan, const FormatInfo& source_key, bool of_windows) const;
  void check_undo(const KeyedPlan& plan);
  AggregateCall bind_call(const ast::ExprPtr& call) const;
  ExprPtr replace(const ast::ExprPtr& expr) const;

  const SelectInput& input_;
  const Scope& scope_;
  const Clauses& clauses_;
  const bool ranked_;
  std::vector<ast::ExprPtr> aggregates_;        // distinct calls, in order
  std::vector<AggregateCall> calls_;            // the same, bound
  std::vector<KeySlot> keys_;                   // of the grouped rows
  std::map<PseudoColumn, std::size_t> bounds_;  // of windows that are given in FROM: where they are in their key
  std::size_t calls_at_ = 0;                    // where results of calls begin in them
};

/// Throws where GROUP BY, the SELECT list and HAVING do not fit each other.
void check_grouping(const SelectInput& input, const Clauses& clauses);
/// The same for an expression of ORDER BY.
void check_ordered(const SelectInput& input, const Scope& scope, const Clauses& clauses, const ast::ExprPtr& expr);
void check_non_aggregates(const SelectInput& input, const Scope& scope, const Clauses& clauses);

/// The WINDOW clause with its defaults, which are others for final results.
std::optional<WindowSpec> window_spec(const ast::Query& query, bool final);

}  // namespace millrace::inline planner
