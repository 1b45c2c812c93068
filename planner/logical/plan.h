#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "planner/logical/expr.h"
#include "planner/types/schema.h"

/// The plan of a query: a tree of plain immutable nodes, sources at the leaves. The same nodes serve the
/// logical plan (what the binder makes and the rules rewrite) and the physical one (cut into
/// subtopologies at `Repartition`, planner/physical/plan.h).
///
/// Addressing: expressions of a node refer to columns of its input's schema by position. Pseudo columns and
/// the record's headers ride beside the schema. Row kinds of tables: DESIGN §3.
namespace millrace::inline planner {

struct PlanNode;
using NodePtr = std::shared_ptr<const PlanNode>;

struct TimestampColumn {
  std::size_t column;                 // in the declared schema (Source), in the output schema (Sink)
  std::optional<std::string> format;  // java.time pattern, STRING columns only
};

/// Reads a topic. Output schema: the declared columns listed in `read`, in that order (all of them until
/// column pruning).
struct SourceNode {
  std::string name;  // the stream or table; empty for an internal topic
  std::string topic;
  Schema declared;
  std::vector<std::size_t> read;
  FormatInfo key_format, value_format;
  std::optional<TimestampColumn> timestamp;
  /// A repartition topic of this query: truncated behind the reader, always from the start. Its values carry the row's
  /// kind.
  bool internal = false;
  int partitions = 0;  // of the topic as the catalog knows it; 0: unknown
};

/// Keeps rows whose predicate is TRUE (NULL and failures count as false). Streams: rows with a null value are
/// dropped. Tables: a row that no longer passes is withdrawn. `retract` is set by the physical planner when the
/// input must give "before" rows so that only rows which had passed are withdrawn (HAVING).
struct FilterNode {
  NodePtr input;
  ExprPtr predicate;
  bool retract = false;
};

struct ProjectItem {
  ColumnDef column;
  ExprPtr expr;
};
/// Computes the output columns; key items come first. A null stream value stays null.
struct ProjectNode {
  NodePtr input;
  std::vector<ProjectItem> items;
};

struct TableCall {
  const FunctionDef* function;
  std::size_t variant;
  std::vector<ExprPtr> arguments;
  ColumnDef column;
};
/// Appends one value column per call, one output row per element, shorter lists padded with NULL; no row when
/// all are empty. Rows with a null value are dropped.
struct FlatMapNode {
  NodePtr input;
  std::vector<TableCall> calls;
};

enum class NullKey : std::uint8_t {
  keep,  // PARTITION BY and joins: a failing or NULL key expression gives a null key
  drop,  // GROUP BY: any NULL among the key columns drops the row, as does a null value
};
/// Gives rows a new key. Output schema: `keys` (role key), then every input column as a value column, in
/// order. On a table both before and after rows are re-keyed, so the input must give before rows.
/// No rows move: `RepartitionNode` above it moves them where the operator above needs it. An empty key list makes
/// the relation keyless (PARTITION BY NULL).
struct RekeyNode {
  NodePtr input;
  std::vector<ProjectItem> keys;
  NullKey null_key = NullKey::keep;
};

/// Sends rows through an internal topic, partitioned by key. Inserted by a rule, never by the binder. Schema unchanged.
struct RepartitionNode {
  NodePtr input;
  std::string role;       // names the topic: `Aggregate-GroupBy`, `Join-left`, ...
  FormatInfo key_format;  // the bytes that decide the partition; values travel in our own ROW format
  int partitions = 0;     // 0: as many as the largest source of the input
};

enum class EmitPolicy : std::uint8_t { changes, final };
struct WindowSpec {
  WindowType type;
  std::int64_t size_ms;     // the gap of a session window
  std::int64_t advance_ms;  // = size for tumbling
  std::int64_t grace_ms;
  std::int64_t retention_ms;  // >= size + grace
};
struct AggregateCall {
  const FunctionDef* function;
  std::size_t variant;
  std::vector<ExprPtr> arguments;  // over the input's columns, per row
  std::vector<Value> constants;    // the literal init arguments, in order
  ColumnDef column;                // name and type of the result
  std::int64_t limit = -1;         // most values that a collecting aggregate keeps; -1: all
};
/// Takes rows of a stream in by key, as the aggregate behind the repartition would, and gives at each commit one row
/// per key that stands for all of them. Output schema: that of the input, then a column of aggregate states (BYTES):
/// where it is not NULL, the row is such a sum and its other value columns are NULL; where it is, the row is one that
/// came in. Inserted by a rule.
struct CombineNode {
  NodePtr input;
  std::vector<AggregateCall> calls;  // those of the aggregate, over the same columns
};
/// Groups by the key of its input (a Rekey stands below unless the key is already right). Output schema: the key
/// columns, then one value column per call. With a window the key is windowed and the output carries window bounds.
/// A table input is undone and redone (before rows needed).
struct AggregateNode {
  NodePtr input;
  std::vector<AggregateCall> calls;
  std::optional<WindowSpec> window;
  EmitPolicy emit = EmitPolicy::changes;
  bool global = false;    // no GROUP BY: one group, transient queries only
  bool combined = false;  // its rows come from a Combine
  bool emit_before =
      false;  // set by the physical planner: an operator above needs insert, update_before/update_after, remove
};

enum class JoinType : std::uint8_t { inner, left, right, full };
/// All joins: both inputs are keyed by the join key and co-partitioned (Rekey and Repartition below see to it).
/// Output schema: the key column, then all columns of the left input, then all of the right one, as value columns.
/// The key of an output row is that of whichever side exists.
struct StreamTableJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
};
struct StreamStreamJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
  std::int64_t before_ms, after_ms;
  std::optional<std::int64_t> grace_ms;  // absent: 24 h and eager unmatched rows
};
struct TableTableJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
};
/// right's key = foreign_key(left row). Not co-partitioned; output keyed by the left key.
/// Output schema: the left key columns, then all left columns, then all right columns.
struct ForeignKeyJoinNode {
  NodePtr left, right;
  JoinType type;  // inner or left
  ExprPtr foreign_key;
};

/// Keeps the newest row of each key of a table in a store: for pull queries and for operators that need "before".
/// With `emit_before` it gives full changes (insert, update_before/update_after, remove with the old values; nothing
/// for the removal of an absent key); without, it hands every row on as it came.
struct MaterializeNode {
  NodePtr input;
  bool emit_before = false;
};

/// Writes to a topic. Its input's schema is what is written. `update_before` rows are not written to a topic that is
/// not internal.
struct SinkNode {
  NodePtr input;
  std::string name;  // the stream or table
  std::string topic;
  FormatInfo key_format, value_format;
  std::optional<TimestampColumn> timestamp;
  bool internal = false;  // a repartition topic: rows of all kinds are written, each with its kind
};
/// Ends a transient query: rows go to the client, at most `limit` of them.
struct OutputNode {
  NodePtr input;
  std::optional<std::int64_t> limit;
  /// Positions of the input's columns in the order the client sees them; empty: all, as they stand.
  std::vector<std::size_t> columns = {};
};

struct PlanNode {
  std::variant<SourceNode, FilterNode, ProjectNode, FlatMapNode, RekeyNode, RepartitionNode, CombineNode, AggregateNode,
               StreamTableJoinNode, StreamStreamJoinNode, TableTableJoinNode, ForeignKeyJoinNode, MaterializeNode,
               SinkNode, OutputNode>
      node;
  // Derived when the node is made; rules need not compute them.
  Schema schema;
  RelationKind kind = RelationKind::stream;
  std::optional<WindowInfo> window;  // set when the key is windowed

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
};

/// Makes a node and derives schema, kind and window from its inputs. Source kind and window cannot be derived
/// and are given to `make_source`.
NodePtr make_source(SourceNode source, RelationKind kind, std::optional<WindowInfo> window);
NodePtr make_node(decltype(PlanNode::node) node);

std::vector<NodePtr> inputs_of(const PlanNode& node);
/// A copy of `node` over other inputs, same number and order.
NodePtr with_inputs(const PlanNode& node, std::vector<NodePtr> inputs);
/// Short name for EXPLAIN, metrics and store names: source, filter, project, flat_map, rekey, repartition, aggregate,
/// ...
std::string_view node_name(const PlanNode& node);
/// The tree as indented text, one node a line.
std::string explain(const NodePtr& root);

/// Per-query settings that change what a plan does, from the session's properties.
struct QueryOptions {
  bool emit_every_change = false;  // cache.max.bytes.buffering = 0
  bool from_earliest = false;      // auto.offset.reset, for streams
  bool fail_on_bad_record = false;
  bool fail_on_bad_timestamp = false;
};

}  // namespace millrace::inline planner
