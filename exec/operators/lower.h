#pragma once

#include <memory>
#include <vector>

#include "exec/operators/operator.h"

namespace millrace::inline exec {

/// What the maker of an operator gets beside its node's own struct.
struct LowerContext {
  OperatorContext& context;
  const PlanNode& node;
  /// Tables: give insert / update_before / update_after / remove instead of upserts and removes. As the plan says.
  bool emit_before = false;
  struct NamedStore {
    std::string role;
    StoreSlot slot;
  };
  std::vector<NamedStore> stores;  // the stores that the plan declares for this node

  /// A store by its role. A plan without it is a bug.
  Result<StoreSlot> store(std::string_view role) const;
};
using MadeOperator = Result<std::unique_ptr<Operator>>;

/// One function per operator, each in the operator's own file.
MadeOperator make_filter(const FilterNode& node, const LowerContext& lower);
MadeOperator make_project(const ProjectNode& node, const LowerContext& lower);
MadeOperator make_flat_map(const FlatMapNode& node, const LowerContext& lower);
MadeOperator make_rekey(const RekeyNode& node, const LowerContext& lower);
MadeOperator make_combine(const CombineNode& node, const LowerContext& lower);
MadeOperator make_aggregate_operator(const AggregateNode& node, const LowerContext& lower);
MadeOperator make_session_aggregate(const AggregateNode& node, const LowerContext& lower);
MadeOperator make_materialize(const MaterializeNode& node, const LowerContext& lower);
MadeOperator make_stream_table_join(const StreamTableJoinNode& node, const LowerContext& lower);
MadeOperator make_stream_stream_join(const StreamStreamJoinNode& node, const LowerContext& lower);
MadeOperator make_table_table_join(const TableTableJoinNode& node, const LowerContext& lower);
MadeOperator make_group(const GroupNode& node, const LowerContext& lower);
MadeOperator make_latest(const LatestNode& node, const LowerContext& lower);
MadeOperator make_sort(const SortNode& node, const LowerContext& lower);
MadeOperator make_changes(const ChangesNode& node, const LowerContext& lower);
MadeOperator make_union(const UnionNode& node, const LowerContext& lower);
MadeOperator make_finite_over(const FiniteOverNode& node, const LowerContext& lower);
MadeOperator make_finite_join(const FiniteJoinNode& node, const LowerContext& lower);
MadeOperator make_broadcast_join(const BroadcastJoinNode& node, const LowerContext& lower);
MadeOperator make_pair_join(const PairJoinNode& node, const LowerContext& lower);
MadeOperator make_over(const OverNode& node, const LowerContext& lower);
MadeOperator make_over_stream(const OverNode& node, const LowerContext& lower);
MadeOperator make_over_exact(const OverNode& node, const LowerContext& lower);
MadeOperator make_expand(const ExpandNode& node, const LowerContext& lower);
MadeOperator make_retime(const RetimeNode& node, const LowerContext& lower);
MadeOperator make_dedup(const DedupNode& node, const LowerContext& lower);
MadeOperator make_as_of_join(const AsOfJoinNode& node, const LowerContext& lower);
MadeOperator make_unnest(const UnnestNode& node, const LowerContext& lower);
MadeOperator make_newest(const NewestNode& node, const LowerContext& lower);
MadeOperator make_top_rows(const TopRowsNode& node, const LowerContext& lower);
MadeOperator make_close_ranks(const CloseRanksNode& node, const LowerContext& lower);
MadeOperator make_time_sort(const TimeSortNode& node, const LowerContext& lower);
MadeOperator make_close_windows(const CloseWindowsNode& node, const LowerContext& lower);
MadeOperator make_late(const LateNode& node, const LowerContext& lower);
MadeOperator make_versions(const VersionsNode& node, const LowerContext& lower);
MadeOperator make_thin(const ThinNode& node, const LowerContext& lower);
MadeOperator make_every(const EveryNode& node, const LowerContext& lower);
MadeOperator make_window_rows(const WindowRowsNode& node, const LowerContext& lower);
MadeOperator make_foreign_key_join(const ForeignKeyJoinNode& node, const LowerContext& lower);
MadeOperator make_foreign_key_route(const ForeignKeyRouteNode& node, const LowerContext& lower);
MadeOperator make_foreign_key_meet(const ForeignKeyMeetNode& node, const LowerContext& lower);
MadeOperator make_foreign_key_settle(const ForeignKeySettleNode& node, const LowerContext& lower);

}  // namespace millrace::inline exec
