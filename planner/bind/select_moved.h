#pragma once

#include <map>
#include <optional>
#include <vector>

#include "planner/bind/expr_binder.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// Expressions over a plan when steps above it put columns in front, keep its pseudo columns as columns and compute
/// some calls.
class MovedRows {
 public:
  /// `binder` binds expressions over the plan as it is.
  MovedRows(const SelectInput& input, const Scope& scope, const ExprBinder& binder)
      : input_(input), scope_(scope), below_(binder.intercept) {}

  /// ROWTIME and the like are those of the rows as they are: what `exprs` read of them become columns, and the bounds
  /// of a windowed table in any case.
  void keep_pseudo_columns(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs);
  /// Where a pseudo column is that was kept.
  std::optional<std::size_t> place_of(PseudoColumn column) const;

  /// Gives the rows another key, whose columns come in front.
  void rekey(KeyedPlan& plan, std::vector<ProjectItem> keys);
  /// So many more columns stand in front.
  void move(std::size_t columns) { moved_ += columns; }
  std::size_t moved() const { return moved_; }
  /// A call is a column now.
  void add_computed(ast::ExprPtr call, std::size_t position, Type type) {
    computed_.push_back({std::move(call), position - moved_, std::move(type)});
  }

  /// For a binder over the rows as they are now.
  ExprPtr intercept(const ast::ExprPtr& expr) const;
  /// An item, bound over the rows as they are now.
  ExprPtr bind(const ast::ExprPtr& expr) const;

 private:
  ExprPtr over_rows(const ExprPtr& expr) const;
  bool is_known_column(const ast::Expression& expr) const;
  void collect_pseudo(const ast::ExprPtr& expr, std::vector<PseudoColumn>& used) const;

  struct Computed {
    ast::ExprPtr call;
    std::size_t position;  // in front of which `moved_` columns stand
    Type type;
  };
  const SelectInput& input_;
  const Scope& scope_;
  const std::function<ExprPtr(const ast::ExprPtr&)> below_;
  std::map<PseudoColumn, std::size_t> pseudo_;
  std::vector<Computed> computed_;
  std::size_t moved_ = 0;
};

}  // namespace millrace::inline planner
