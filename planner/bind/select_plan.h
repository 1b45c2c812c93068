#pragma once

#include <vector>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// Where key columns of a result come from: decides how errors name them. `single`: all rows have one key, which comes
/// along by itself.
enum class KeyOrigin : std::uint8_t { source, join, foreign_key, grouping, partitioning, single };

/// One key column of the plan below the projection.
struct KeySlot {
  std::size_t position = 0;
  Type type;
  std::vector<ast::ExprPtr> candidates;  // qualified expressions that stand for it, best first
};

/// The plan so far, with its key.
struct KeyedPlan {
  NodePtr node;
  std::vector<KeySlot> keys;
  KeyOrigin origin = KeyOrigin::source;
  FormatInfo key_format;

  /// True when `exprs` are the key as it is.
  bool has_key(const std::vector<ast::ExprPtr>& exprs) const;
};

/// A key column of that name. Throws for a MAP.
ProjectItem key_item(std::string name, ExprPtr bound, Span span);
/// The key of all rows where there is none: ROWKEY = 0.
ProjectItem single_key();
/// A bound of the rows' windows as a column.
ProjectItem bound_item(PseudoColumn bound, ColumnRole role, Span span = {});

/// The leaf that reads a source. `broadcast`: whole, in every task.
NodePtr make_leaf(const ScopeSource& source, bool broadcast = false);
/// FROM without a join.
KeyedPlan bind_single(const Scope& scope);
/// FROM with joins; positions of columns in `scope` move to those of the joined rows.
KeyedPlan bind_joins(const SelectInput& input, Scope& scope, const Clauses& clauses);
/// WHERE, when there is one.
void bind_filter(const SelectInput& input, const Scope& scope, const Clauses& clauses, KeyedPlan& plan);

}  // namespace millrace::inline planner
