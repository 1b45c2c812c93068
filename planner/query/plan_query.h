#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/finite_query.h"
#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// What settings and circumstances say about a query's plan.
struct PlanContext {
  PhysicalContext physical;
  ConstantEvaluator evaluate;
  std::set<std::string> rules_off;  // names of rules to leave out; "all": every optional one
};

/// The rules that a comma-separated list names.
std::set<std::string> read_rule_names(const std::string& list);

/// The way of every query: a bound plan goes through the rules and becomes the physical one. Throws SqlError.
std::shared_ptr<const PhysicalPlan> plan_query(const NodePtr& root, const QueryOptions& options,
                                               const PlanContext& context);

/// What reads a stream's or table's topic and gives its rows as they are, nothing above it. Throws SqlError.
BoundQuery bind_source_rows(const std::string& source, const BindContext& context);

/// The plan that keeps a source table's rows for pull queries. `leaf`: its source.
std::shared_ptr<const PhysicalPlan> plan_kept_table(NodePtr leaf, const QueryOptions& options,
                                                    const PlanContext& context);

/// The plan of a pull query on a table: a tree like any other whose leaf reads the store of `keeper`, the query that
/// keeps the table's rows. Precondition: that has a materialization.
std::shared_ptr<const PhysicalPlan> plan_pull(const BoundPull& bound, const PhysicalPlan& keeper,
                                              const PlanContext& context);

/// A pull query whose rows are those of a topic: `below` reads it, `above` is run over what it gives.
struct TopicPullPlan {
  std::shared_ptr<const PhysicalPlan> below, above;
};
/// `leaf`: the source of a stream or table.
TopicPullPlan plan_topic_pull(const BoundPull& bound, const NodePtr& leaf, const PlanContext& context);

/// A pull query over any number of sources.
struct FinitePlan {
  std::shared_ptr<const PhysicalPlan> above;  // its leaves are those below, in the order of the tree
  /// What gives the rows of a leaf: a pull query on a table that a query keeps, else on a topic, if there are any.
  struct Leaf {
    std::shared_ptr<const PhysicalPlan> table;
    bool any_order = false;  // its rows may come in any order
    TopicPullPlan topic;     // when `table` is null
    bool one_row = false;    // without columns
  };
  std::vector<Leaf> leaves;
};
/// Where the rows of a source are: with the query that keeps them, or else in the topic that `leaf` reads.
struct FiniteSource {
  std::shared_ptr<const PhysicalPlan> keeper;
  NodePtr leaf;  // when `keeper` is null
};
/// `versions`: the older rows of a table are wanted too, which no store keeps.
using FindFinite = std::function<FiniteSource(const std::string& source, bool versions)>;
FinitePlan plan_finite(const BoundFinite& bound, const FindFinite& find, const PlanContext& context);

}  // namespace millrace::inline planner
