#pragma once

#include <optional>
#include <vector>

#include "planner/bind/select_moved.h"

namespace millrace::inline planner {

/// The query with every `OVER name` replaced by what the WINDOW clause says of the name.
ast::Query inline_windows(const ast::Query& query);
/// A call with OVER.
bool is_over(const ast::Expression& expr);
/// ROW_NUMBER, RANK or DENSE_RANK with it.
bool is_rank(const ast::Expression& expr);
RankFunction rank_of(const std::string& name);
/// QUALIFY may use the names of items, where no column is called so.
ast::ExprPtr name_items(const ast::ExprPtr& expr, const std::vector<OutputItem>& items, const Scope& scope);

/// What names the order of an OVER: not of values that have none.
void check_sortable(const Type& type, Span span);

/// QUALIFY: the first rows of each partition, and what else rows must be.
class Ranking {
 public:
  Ranking(const SelectInput& input, const Scope& scope, const Clauses& clauses);

  /// The rank whose first rows are kept, which needs no value of its own; null: none is.
  ast::ExprPtr call() const { return condition_ ? condition_->call : nullptr; }

  /// Puts what QUALIFY asks for on top of the plan. `binder` bound expressions over it, and binds them over the ranked
  /// rows then.
  void apply(KeyedPlan& plan, ExprBinder& binder);

 private:
  struct Condition {
    ast::ExprPtr call;
    std::int64_t most;
  };
  std::optional<Condition> read_condition(const ast::ExprPtr& expr) const;
  void read_conjuncts();
  void check() const;
  bool shows_rank() const;
  RankFunction function() const;
  const ast::Over& over() const { return *condition_->call->as<ast::Call>()->modifiers->over; }

  void rank(KeyedPlan& plan, ExprBinder& binder);
  void partition(KeyedPlan& plan);
  std::vector<SortKey> order() const;
  std::string number() const;
  void choose_key(TopRowsNode& top, const KeyedPlan& plan) const;
  void set_keys(bool numbered, KeyedPlan& plan);
  bool rank_closed(KeyedPlan& plan);
  [[noreturn]] void fail_keyless() const;

  const SelectInput& input_;
  const Scope& scope_;
  const Clauses& clauses_;
  std::optional<Condition> condition_;
  std::vector<ast::ExprPtr> rest_;  // of QUALIFY
  std::optional<MovedRows> rows_;
  std::vector<KeySlot> partition_keys_;  // as positions of the rows with their new key
};

}  // namespace millrace::inline planner
