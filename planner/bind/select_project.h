#pragma once

#include <functional>
#include <vector>

#include "planner/bind/expr_binder.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// The SELECT list: key columns first, then values.
class Projection {
 public:
  Projection(const SelectInput& input, const Scope& scope, const Clauses& clauses, const KeyedPlan& plan)
      : input_(input), scope_(scope), items_(clauses.items), keys_(plan.keys), plan_(plan) {}

  /// Called with the columns before the key is looked for in them.
  std::function<void(const Schema&)> on_columns;

  void bind(ExprBinder& binder);
  NodePtr node() const;
  /// Positions of the node's columns in SELECT order.
  const std::vector<std::size_t>& order() const { return order_; }

 private:
  void find_keys();
  /// `as_selected`: keys keep the order of the SELECT list.
  void arrange(std::vector<ProjectItem> values, const std::vector<std::size_t>& value_items, bool as_selected);
  ProjectItem hidden_key(const KeySlot& key) const;
  void check_keys(bool may_miss) const;
  [[noreturn]] void fail_missing_keys(const std::vector<std::size_t>& missing) const;
  [[noreturn]] void fail_repeated_key(const KeySlot& slot, const std::vector<std::size_t>& items) const;

  const SelectInput& input_;
  const Scope& scope_;
  const std::vector<OutputItem>& items_;
  const std::vector<KeySlot>& keys_;
  const KeyedPlan& plan_;
  std::vector<std::vector<std::size_t>> matches_;  // per key: the items that show it
  std::vector<ProjectItem> output_;
  std::vector<std::size_t> order_;
};

/// A column of the result that is not its key.
ProjectItem value_item(ExprBinder& binder, const SelectInput& input, const Scope& scope, const OutputItem& item);

}  // namespace millrace::inline planner
