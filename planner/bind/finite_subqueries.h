#pragma once

#include <functional>
#include <map>
#include <vector>

#include "planner/bind/expr_binder.h"
#include "planner/bind/finite_from.h"

namespace millrace::inline planner {

/// The subqueries in expressions of one query. Each becomes a join below the expression, which then reads a column of
/// it: IN and EXISTS whether there is a partner, a subquery as a value that value.
class Subqueries {
 public:
  /// `scope`: what the names of the query around mean. Borrowed.
  Subqueries(const BindContext& context, const FiniteNames* named, const Scope& scope)
      : context_(context), named_(named), scope_(scope) {}

  /// Joins to `node` what the subqueries of `root` (may be null) give. `binder` binds expressions over the columns of
  /// `node`. `grouped`: these are groups, so that a subquery may read of the query around only what the binder knows.
  void attach(const ast::ExprPtr& root, NodePtr& node, const ExprBinder& binder, bool grouped = false);
  /// What stands for a subquery that was attached; null: the expression is none.
  ExprPtr find(const ast::ExprPtr& expr) const;
  /// The sources of the catalog that they read.
  const std::vector<const SourceDef*>& sources() const { return sources_; }

  static const ast::Query* query_of(const ast::Expression& expr);
  /// Whether the expression (may be null) has subqueries.
  static bool in(const ast::ExprPtr& expr);

 private:
  friend class AttachedQuery;
  const BindContext& context_;
  const FiniteNames* named_;
  const Scope& scope_;
  std::map<const ast::Query*, ExprPtr> known_;
  std::vector<const SourceDef*> sources_;
};

/// Leaves of the rows of `from` those for which a condition holds that may have subqueries. `clause`: where it stands.
void filter_rows(FiniteFrom& from, const ast::ExprPtr& condition, const BindContext& context, const FiniteNames* named,
                 const char* clause);

}  // namespace millrace::inline planner
