#pragma once

#include <optional>
#include <vector>

#include "planner/bind/select_moved.h"

namespace millrace::inline planner {

/// Functions over windows: calls with OVER in the SELECT list and in QUALIFY.
class WindowCalls {
 public:
  /// `ranked`: a call that is left to others; may be null.
  WindowCalls(const SelectInput& input, const Scope& scope, const Clauses& clauses, const ast::ExprPtr& ranked);

  /// Puts the steps that compute them on top of the plan. `binder` bound expressions over it, and binds them over the
  /// rows with their values then.
  void apply(KeyedPlan& plan, ExprBinder& binder);
  /// EMIT FINAL of a stream: rows are put in the order of their times for the functions, and answered when their
  /// frames are whole.
  bool exact() const { return exact_; }

 private:
  /// Calls over the same partitions in the same order: one step.
  struct Window {
    const ast::Over* over;
    std::vector<ast::ExprPtr> calls;
  };

  void collect(const ast::ExprPtr& expr, const ast::ExprPtr& ranked);
  void check(const KeyedPlan& plan) const;
  void keep_pseudo_columns(KeyedPlan& plan);
  void add_step(KeyedPlan& plan, const Window& window);
  void bring_together(KeyedPlan& plan, const Window& window);
  void put_in_order(KeyedPlan& plan);
  void add_row_key(OverNode& node) const;
  void give_back_key(KeyedPlan& plan);
  OverCall bind(const ast::ExprPtr& call, const OverNode& node, std::size_t number);

  const SelectInput& input_;
  const Scope& scope_;
  const Clauses& clauses_;
  std::vector<Window> windows_;
  std::optional<MovedRows> rows_;
  std::vector<KeySlot> key_;  // of the rows as they were
  Schema schema_;             // the same
  bool table_ = false, windowed_ = false, exact_ = false;
  bool at_home_ = true;  // rows are where their key has them
};

/// A call with OVER over rows in `order`. `binder` binds over what it takes in; `column`: the name of its result.
OverCall bind_over_call(const ast::ExprPtr& expr, const std::vector<SortKey>& order, ExprBinder& binder,
                        const Scope& scope, const BindContext& context, std::string column);
/// The function of a call with OVER; throws where it takes none. Null: it does not exist.
const FunctionDef* over_function(const ast::ExprPtr& expr, const BindContext& context);

/// The frame of a call. `order`: as it is bound.
/// `window_function`: rather than an aggregate.
OverFrame bind_frame(const ast::Call& call, const std::vector<SortKey>& order, bool window_function, Span span);
/// What a call over a stream comes to: a running aggregate where it looks at all rows, else a frame that ends at the
/// row, or with `exact` at a distance behind it. Throws for what rows to come would change. `call` may become another
/// one.
ast::ExprPtr fit_to_stream(const ast::ExprPtr& call, bool window_function, bool exact);
/// A stream's rows come in time order.
void check_stream_order(const ast::Over& over, const Scope& scope, Span span);

}  // namespace millrace::inline planner
