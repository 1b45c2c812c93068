#pragma once

#include "planner/rules/rules.h"

/// The rules of the table, one file each. Each is a pure function on one node; null: it does not apply there.
namespace millrace::inline planner {

/// Constant sub-expressions become literals. Those that evaluate to NULL stay: a failure must go on failing.
NodePtr constant_folding(const NodePtr& node, const RuleContext& context);

/// What a query has several times and keeps state for (a query of WITH that is read twice, say) is computed once:
/// x ... x => Repartition(x) ... Repartition(x), both of one role, whose rows lie as those of x do. Applies at the
/// root, before other rules make something else of each x.
NodePtr sharing(const NodePtr& node, const RuleContext& context);

/// Filter(Project(x)) => Project(Filter(x)); Filter(Rekey(x)) => Rekey(Filter(x)) on streams; conjuncts of a filter
/// over a stream-table join that read the stream side alone go below the join. Only predicates that cannot fail move,
/// and never where stream time or the state of a table would come out differently.
NodePtr predicate_pushdown(const NodePtr& node, const RuleContext& context);

/// Rows that must meet by key are moved: Aggregate(Rekey(x)) => Aggregate(Repartition(Rekey(x))), likewise below joins,
/// and one side of a join whose sides place equal keys differently.
NodePtr repartition_insertion(const NodePtr& node, const RuleContext& context);

/// Repartition(x) => x where the rows lie right already: the key did not change, or every source has one partition.
NodePtr repartition_elision(const NodePtr& node, const RuleContext& context);

/// Sources read only the columns that the plan uses; a projection below each Repartition lets only those travel.
/// Applies at the root.
NodePtr column_pruning(const NodePtr& node, const RuleContext& context);

/// Aggregate(Repartition(x)) => Aggregate(Repartition(Combine(x))), so that one row per key and commit is moved instead
/// of every one. Only where every aggregate gives exactly the same that way and nobody sees each change: not over
/// tables, not with windows (whether a row is late depends on the rows before it).
NodePtr aggregate_combining(const NodePtr& node, const RuleContext& context);

/// TopRows(Repartition(x)) => TopRows(Repartition(Thin(x))), likewise below aggregates of which only the last row
/// counts: rows that others in the same batch make count for nothing are not moved. Only where nobody sees each change.
NodePtr thinning(const NodePtr& node, const RuleContext& context);

}  // namespace millrace::inline planner
