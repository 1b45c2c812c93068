#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// A store that an operator of a subtopology declares.
struct StorePlan {
  std::string name;             // `aggregate.1/groups`: the step's name, then the role
  std::string changelog_topic;  // empty in transient queries
  const PlanNode* owner;        // the node in the subtopology's tree that declares it
  std::string role;             // as the node's description has it
  StoreLayout layout = StoreLayout::rows;
  bool windowed = false;
  std::optional<std::int64_t> retention_ms;  // windowed stores and join buffers
};

/// An operator's name in metrics, in the processing log and in its task's progress: `filter.1`, counted per kind over
/// the whole query, so that a new filter renames nothing but filters.
struct StepName {
  const PlanNode* node;
  std::string name;
};

/// A part of a query that runs without moving rows between partitions: one tree, leaves are SourceNodes, the root is a
/// SinkNode (final, or into a repartition topic with the value format ROW) or an OutputNode. Task p of it reads
/// partition p of every input.
struct Subtopology {
  int id = 0;
  NodePtr root;
  std::vector<StorePlan> stores;
  std::vector<StepName> steps = {};  // inputs before what reads them

  const std::string& name_of(const PlanNode& node) const;
};

/// The form of what exec writes into internal topics: values, keys and progress. A change of it that does not read the
/// form before takes the next number; topics get other names then, and a stored plan of another form is refused.
constexpr int kRecordForm = 1;

/// `PREFIX-STEP-KIND`, with the form of its records behind it from the second on.
std::string internal_topic_name(std::string_view prefix, std::string_view step, std::string_view kind,
                                int form = kRecordForm);

/// How far partitions may be apart in event time for one of the operators behind them (Pace): its windows and its grace
/// period.
struct PaceRule {
  std::int64_t size_ms = 0, advance_ms = 0;  // 0: no windows
  std::int64_t gap_ms = 0;                   // how long a row keeps its session open
  std::int64_t grace_ms = 0;

  friend bool operator==(const PaceRule&, const PaceRule&) = default;
};

struct InternalTopic {
  std::string name;
  bool changelog = false;         // compacted; else a repartition topic, deleted behind its readers
  int partitions = 0;             // 0: as many as the largest source topic of the subtopology that owns or feeds it
  int subtopology = 0;            // owner of a changelog
  std::vector<int> readers = {};  // of a repartition topic: subtopologies
  /// Of what a part gives to the queries that share it, which alone know:
  std::vector<std::string> as_many_as = {};  // topics, of which the largest has as many partitions; none: `partitions`
  std::vector<PaceRule> paces = {};          // of those who look at the time of its rows
};

/// Keeps keys of a table by the values of some columns of its rows.
struct TableIndex {
  std::string name;
  std::vector<std::string> columns;  // of the query's result, the foremost first
};

/// Where a pull query finds the rows of the query's result: the store, and the row-wise nodes between the store and the
/// sink, bottom up, to apply on what is read.
struct Materialization {
  int subtopology = 0;
  std::string store;
  Schema store_schema;  // key columns, then value columns, as the store's operator emits them
  std::optional<WindowInfo> window;
  std::vector<NodePtr> above;  // FilterNode and ProjectNode only
  std::vector<TableIndex> indexes = {};
};

/// What exec runs. Deterministic: the same statement against the same catalog gives the same plan, names included.
struct PhysicalPlan {
  std::string query_id;
  /// Differs between attempts to make a query of this id, of which the command log accepts one; kept when a query is
  /// replaced. Empty: there was only one.
  std::string incarnation;
  std::vector<Subtopology> subtopologies;  // readers after writers; the last holds the final sink
  std::vector<InternalTopic> topics;
  std::optional<Materialization> materialization;  // tables only
  QueryOptions options;
  Schema result;
  RelationKind kind = RelationKind::stream;
  std::optional<WindowInfo> window;
  std::vector<std::string> fired_rules;
  NodePtr bound = {};  // of a persistent query: as the binder made it, for CREATE OR REPLACE; null in plans of 0.1
  /// What it does together with others (share_parts()): each is a query of its own, there as long as one that has it,
  /// and writes repartition topics without readers, which subtopologies here read as if they were theirs.
  std::vector<std::shared_ptr<const PhysicalPlan>> parts = {};
};
using PlanPtr = std::shared_ptr<const PhysicalPlan>;

/// What the ids of parts begin with.
inline constexpr std::string_view kPartPrefix = "SHARED-";

/// The topics that a part gives to those who share it.
std::vector<std::string> given_topics(const PhysicalPlan& part);

struct PhysicalContext {
  std::string service_id;  // `default_`
  std::string query_id;
  bool transient = false;
  std::string persistent_prefix = "query_";  // before the ids of persistent queries in names of internal topics
  const PhysicalPlan* replaced = nullptr;    // the plan whose state and internal topics this one takes over
};

/// Cuts a rewritten logical plan into subtopologies and names topics and stores. Throws SqlError for what exec cannot
/// run yet.
PhysicalPlan make_physical(const NodePtr& root, const QueryOptions& options, const PhysicalContext& context);

/// The JSON form: what the command log keeps. `from_json` resolves functions by name and argument types.
std::string to_json(const PhysicalPlan& plan);
PhysicalPlan physical_from_json(const std::string& json, const FunctionCatalog& functions);

/// What EXPLAIN prints: subtopologies with their trees, topics and stores. `sharers`: of each part, the ids of the
/// queries beside this one that have it.
std::string explain(const PhysicalPlan& plan, const std::map<std::string, std::vector<std::string>>& sharers = {});

}  // namespace millrace::inline planner
