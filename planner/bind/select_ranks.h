#pragma once

#include <map>
#include <optional>
#include <vector>

#include "planner/bind/expr_binder.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// The query with every `OVER name` replaced by what the WINDOW clause says of the name.
ast::Query inline_windows(const ast::Query& query);
/// ROW_NUMBER, RANK or DENSE_RANK with OVER.
bool is_rank(const ast::Expression& expr);
RankFunction rank_of(const std::string& name);
/// QUALIFY may use the names of items, where no column is called so.
ast::ExprPtr name_items(const ast::ExprPtr& expr, const std::vector<OutputItem>& items, const Scope& scope);

/// QUALIFY: the first rows of each partition.
class Ranking {
 public:
  Ranking(const SelectInput& input, const Scope& scope, const Clauses& clauses)
      : input_(input), scope_(scope), clauses_(clauses) {}

  /// Puts what QUALIFY asks for on top of the plan. `binder` bound expressions over it, and binds them over the ranked
  /// rows then.
  void apply(KeyedPlan& plan, ExprBinder& binder);

 private:
  struct Condition {
    ast::ExprPtr call;
    std::int64_t most;
  };
  std::optional<Condition> read_condition(const ast::ExprPtr& expr) const;
  void read_conjuncts(const ast::ExprPtr& expr);
  void check() const;
  bool shows_rank() const;
  RankFunction function() const;
  const ast::Over& over() const { return *condition_->call->as<ast::Call>()->modifiers->over; }

  void find_pseudo_columns(const KeyedPlan& plan, ExprBinder& below);
  ExprPtr over_rows(const ExprPtr& expr, std::size_t shift) const;
  void partition(KeyedPlan& plan, ExprBinder& below);
  TopRowsNode top_rows(const KeyedPlan& plan, ExprBinder& below) const;
  void choose_key(TopRowsNode& top, const KeyedPlan& plan) const;
  void set_keys(const TopRowsNode& top, KeyedPlan& plan) const;
  [[noreturn]] void fail_keyless() const;

  const SelectInput& input_;
  const Scope& scope_;
  const Clauses& clauses_;
  std::optional<Condition> condition_;
  std::vector<ast::ExprPtr> rest_;                     // of QUALIFY
  std::map<PseudoColumn, std::size_t> pseudo_;         // that are columns below the ranks, by position there
  std::vector<KeySlot> partition_keys_;                // as positions of the rows with their new key
  std::function<ExprPtr(const ast::ExprPtr&)> below_;  // how the binder took expressions over the plan as it was
};

}  // namespace millrace::inline planner
