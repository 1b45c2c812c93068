#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "planner/logical/aggregate_node.h"
#include "planner/logical/as_of_join_node.h"
#include "planner/logical/broadcast_join_node.h"
#include "planner/logical/changes_node.h"
#include "planner/logical/close_ranks_node.h"
#include "planner/logical/close_windows_node.h"
#include "planner/logical/combine_node.h"
#include "planner/logical/dedup_node.h"
#include "planner/logical/every_node.h"
#include "planner/logical/expand_node.h"
#include "planner/logical/expr.h"
#include "planner/logical/filter_node.h"
#include "planner/logical/finite_join_node.h"
#include "planner/logical/finite_over_node.h"
#include "planner/logical/flat_map_node.h"
#include "planner/logical/foreign_key_join_node.h"
#include "planner/logical/foreign_key_nodes.h"
#include "planner/logical/group_node.h"
#include "planner/logical/key_lookup_node.h"
#include "planner/logical/late_node.h"
#include "planner/logical/latest_node.h"
#include "planner/logical/materialize_node.h"
#include "planner/logical/newest_node.h"
#include "planner/logical/one_row_node.h"
#include "planner/logical/output_node.h"
#include "planner/logical/over_node.h"
#include "planner/logical/pair_join_node.h"
#include "planner/logical/project_node.h"
#include "planner/logical/rekey_node.h"
#include "planner/logical/repartition_node.h"
#include "planner/logical/retime_node.h"
#include "planner/logical/sink_node.h"
#include "planner/logical/sort_node.h"
#include "planner/logical/source_node.h"
#include "planner/logical/store_scan_node.h"
#include "planner/logical/stream_stream_join_node.h"
#include "planner/logical/stream_table_join_node.h"
#include "planner/logical/table_table_join_node.h"
#include "planner/logical/thin_node.h"
#include "planner/logical/time_sort_node.h"
#include "planner/logical/top_rows_node.h"
#include "planner/logical/topic_scan_node.h"
#include "planner/logical/union_node.h"
#include "planner/logical/unnest_node.h"
#include "planner/logical/versions_node.h"
#include "planner/logical/window_rows_node.h"
#include "planner/types/schema.h"

/// The plan of a query: a tree of plain immutable nodes, sources at the leaves. The same nodes serve the
/// logical plan (what the binder makes and the rules rewrite) and the physical one (cut into
/// subtopologies at `Repartition`, planner/physical/plan.h). Each node describes itself (planner/logical/describe.h).
///
/// Addressing: expressions of a node refer to columns of its first input's schema by position, those of joins'
/// conditions to columns of its own. Pseudo columns and the record's headers ride beside the schema. Row kinds of
/// tables: design.md §3.
namespace millrace::inline planner {

/// A node and what it gives, which is derived when the node is made; rules need not compute it.
struct PlanNode : Relation {
  std::variant<SourceNode, FilterNode, ProjectNode, FlatMapNode, RekeyNode, RepartitionNode, CombineNode, AggregateNode,
               StreamTableJoinNode, StreamStreamJoinNode, TableTableJoinNode, ForeignKeyJoinNode, BroadcastJoinNode,
               PairJoinNode, MaterializeNode, SinkNode, OutputNode, KeyLookupNode, StoreScanNode, GroupNode, SortNode,
               TopicScanNode, LatestNode, UnionNode, FiniteJoinNode, FiniteOverNode, ChangesNode, TopRowsNode, OverNode,
               ExpandNode, RetimeNode, DedupNode, ForeignKeyRouteNode, ForeignKeyMeetNode, ForeignKeySettleNode,
               TimeSortNode, CloseWindowsNode, AsOfJoinNode, UnnestNode, NewestNode, LateNode, EveryNode,
               WindowRowsNode, CloseRanksNode, OneRowNode, VersionsNode, ThinNode>
      node;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
};
using AnyNode = decltype(PlanNode::node);

/// Makes a node and derives what it gives from its inputs.
NodePtr make_node(AnyNode node);
NodePtr make_source(SourceNode source, RelationKind kind, std::optional<WindowInfo> window);

std::vector<NodePtr> inputs_of(const PlanNode& node);
/// The node over what `change` makes of each of its inputs, in order; the node itself where all stay.
NodePtr map_inputs(const NodePtr& node, const std::function<NodePtr(const NodePtr&)>& change);
/// A copy of `node` over other inputs, same number and order.
NodePtr with_inputs(const PlanNode& node, std::vector<NodePtr> inputs);
const NodeTraits& traits_of(const PlanNode& node);
/// Short name for EXPLAIN, metrics and store names: source, filter, project, flat_map, rekey, repartition, aggregate,
/// ...
std::string_view node_name(const PlanNode& node);
/// Equality of trees by description: node by node, field by field. Spans and texts of expressions do not count.
bool equal(const PlanNode& a, const PlanNode& b);
/// Whether the node's operator gives before rows, as the physical planner decided.
bool emits_before(const PlanNode& node);
/// Own columns before those of the inputs (`own_first` of the description).
std::optional<std::size_t> own_first(const PlanNode& node);
/// A copy of the node with every expression replaced by `change(expression)`, over other inputs, same number and order.
NodePtr map_node(const PlanNode& node, std::vector<NodePtr> inputs,
                 const std::function<ExprPtr(const ExprPtr&)>& change);
/// Calls `visit` on every expression of the node itself.
void for_each_expression(const PlanNode& node, const std::function<void(const ExprPtr&)>& visit);
/// The tree as indented text, one node a line.
std::string explain(const NodePtr& root);

/// Per-query settings that change what a plan does, from the session's properties.
struct QueryOptions {
  bool emit_every_change = false;  // cache.max.bytes.buffering = 0
  bool from_earliest = false;      // auto.offset.reset, for streams
  bool fail_on_bad_record = false;
  bool fail_on_bad_timestamp = false;
  std::int64_t idle_timeout_ms = -1;   // millrace.idle.timeout.ms; not kept: the plan's sources say it
  bool align_times = false;            // millrace.time.alignment = source; kept likewise
  std::int64_t most_memory_bytes = 0;  // of a pull query's operators; 0: any
};

}  // namespace millrace::inline planner
