#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "planner/logical/window_trace.h"
#include "planner/physical/plan.h"
#include "planner/physical/replace.h"
#include "planner/physical/row_kinds.h"
#include "planner/physical/shared_parts.h"
#include "planner/physical/stores.h"

namespace millrace::inline planner {

std::string internal_topic_name(std::string_view prefix, std::string_view step, std::string_view kind, int form) {
  return form == 1 ? fmt::format("{}-{}-{}", prefix, step, kind) : fmt::format("{}-{}-{}-{}", prefix, step, kind, form);
}

namespace {

/// What those above live by.
struct Above {
  bool timed = false;    // the time of what is given to them
  bool aligned = false;  // stream time, which its rows move unless it is said
  friend bool operator==(const Above&, const Above&) = default;
};
using AboveShared = std::map<std::string, Above>;  // by role, all readers taken together

/// Cuts the tree at its repartitions; writers come out before their readers.
class Cutter {
 public:
  Cutter(PhysicalPlan& plan, std::string prefix, const QueryOptions& options, AboveShared& shared)
      : plan_(plan),
        prefix_(std::move(prefix)),
        idle_ms_(options.idle_timeout_ms),
        align_(options.align_times),
        shared_(shared) {}

  void run(const NodePtr& root) { finish(root, {}); }

 private:
  int finish(const NodePtr& root, Above above) {
    std::vector<std::size_t> read;  // repartition topics that this subtopology reads
    NodePtr tree = cut(root, read, above);
    const int id = static_cast<int>(plan_.subtopologies.size());
    plan_.subtopologies.push_back(Subtopology{.id = id, .root = std::move(tree), .stores = {}});
    for (const std::size_t topic : read) plan_.topics[topic].readers.push_back(id);
    return id;
  }

  NodePtr cut(const NodePtr& node, std::vector<std::size_t>& read, Above above) {
    if (const auto* repartition = node->as<RepartitionNode>()) return reader(*repartition, *node, read, above);
    if (node->as<SourceNode>()) return with_idle(node);
    std::size_t number = 0;
    return map_inputs(node, [&](const NodePtr& input) {
      const Above below{.timed = needs_time(*node, number, above.timed),
                        .aligned = align_ && can_align(*node, number, above.aligned)};
      ++number;
      return cut(input, read, below);
    });
  }

  NodePtr reader(const RepartitionNode& repartition, const PlanNode& node, std::vector<std::size_t>& read,
                 Above above) {
    if (!is_shared(repartition)) return make_reader(repartition, node, read, above);
    Above& all = shared_[repartition.role];
    all.timed = all.timed || above.timed;
    all.aligned = all.aligned || above.aligned;
    const auto known = made_.find(repartition.role);
    if (known == made_.end()) {
      NodePtr made = make_reader(repartition, node, read, all);
      made_[repartition.role] = {made, read.back()};
      return made;
    }
    const auto& [source, topic] = known->second;
    if (std::ranges::find(read, topic) == read.end()) read.push_back(topic);
    return std::make_shared<const PlanNode>(*source);  // a leaf of its own
  }

  NodePtr make_reader(const RepartitionNode& repartition, const PlanNode& node, std::vector<std::size_t>& read,
                      Above above) {
    // What is complete is said of results of windows; their rows say nothing of stream time.
    const bool aligned = above.aligned && !above.timed;
    const FormatInfo row{.name = "ROW"};
    // As upstream, which calls what carries foreign keys and their answers a topic, not a repartition.
    const bool foreign_key = repartition.role.starts_with("ForeignKeyJoin");
    const std::string topic = topic_name(repartition.role, foreign_key ? "topic" : "repartition");
    finish(make_node(SinkNode{.input = repartition.input,
                              .name = {},
                              .topic = topic,
                              .key_format = repartition.key_format,
                              .value_format = row,
                              .timestamp = {},
                              .internal = true,
                              .timed = above.timed || aligned,
                              .aligned = aligned}),
           above);
    read.push_back(plan_.topics.size());
    plan_.topics.push_back(
        InternalTopic{.name = topic, .changelog = false, .partitions = repartition.partitions, .subtopology = 0});
    SourceNode source{.name = {},
                      .topic = topic,
                      .declared = node.schema,
                      .read = {},
                      .key_format = repartition.key_format,
                      .value_format = row,
                      .timestamp = {},
                      .internal = true,
                      .partitions = repartition.partitions};
    source.timed = above.timed || aligned;
    source.aligned = aligned;
    source.idle_ms = idle_of(*repartition.input);
    for (std::size_t i = 0; i < node.schema.size(); ++i) source.read.push_back(i);
    return make_source(std::move(source), node.kind, node.window);
  }

  /// Of the query, where the source says nothing.
  NodePtr with_idle(const NodePtr& node) const {
    SourceNode source = *node->as<SourceNode>();
    if (source.idle_ms || idle_ms_ < 0) return node;
    source.idle_ms = idle_ms_;
    return make_node(std::move(source));
  }

  /// Those who are quiet write nothing into a topic between them: it may be quiet as long as the slowest of them.
  static bool add_idle(const PlanNode& node, std::optional<std::int64_t>& longest) {
    if (const auto* source = node.as<SourceNode>()) {
      if (node.kind == RelationKind::table && !node.window) return true;
      if (source->idle_ms) longest = std::max(longest.value_or(0), *source->idle_ms);
      return source->idle_ms.has_value();
    }
    bool all = true;
    for (const NodePtr& input : inputs_of(node)) all = add_idle(*input, longest) && all;
    return all;
  }
  std::optional<std::int64_t> idle_of(const PlanNode& node) const {
    std::optional<std::int64_t> longest;
    const bool all = add_idle(node, longest);
    if (all) return longest;
    return idle_ms_ < 0 ? std::nullopt : std::optional(std::max(idle_ms_, longest.value_or(0)));
  }

  /// Steps of one role follow each other: the second one's topic has a number.
  std::string topic_name(const std::string& role, std::string_view kind) {
    const int number = ++roles_[role];
    return internal_topic_name(prefix_, number == 1 ? role : fmt::format("{}-{}", role, number), kind);
  }

  PhysicalPlan& plan_;
  const std::string prefix_;
  const std::int64_t idle_ms_;  // millrace.idle.timeout.ms
  const bool align_;            // millrace.time.alignment
  std::map<std::string, int> roles_;
  AboveShared& shared_;
  std::map<std::string, std::pair<NodePtr, std::size_t>> made_;  // what reads a shared topic, and which it is; by role
};

/// Again, where a later reader of a shared topic lives by more than those before it.
void cut(PhysicalPlan& plan, const NodePtr& root, const std::string& prefix, const QueryOptions& options) {
  AboveShared shared;
  while (true) {
    const AboveShared known = shared;
    plan.subtopologies.clear();
    plan.topics.clear();
    Cutter(plan, prefix, options, shared).run(root);
    if (known == shared) return;
  }
}

}  // namespace

PhysicalPlan make_physical(const NodePtr& root, const QueryOptions& options, const PhysicalContext& context) {
  const std::string prefix = topic_prefix(context);
  PhysicalPlan plan{.query_id = context.query_id,
                    .incarnation = {},
                    .subtopologies = {},
                    .topics = {},
                    .materialization = {},
                    .options = options,
                    .result = root->schema,
                    .kind = root->kind,
                    .window = root->window,
                    .fired_rules = {}};
  const NodePtr complete = provide_before_rows(context.transient ? root : make_pullable(root), context.transient);
  cut(plan, complete, prefix, options);
  name_steps(plan);
  if (context.replaced != nullptr) {
    leave_to(plan, context.replaced->parts, context);
    keep_forms(plan, *context.replaced);
  }
  declare_stores(plan, context.transient ? std::string() : prefix);
  plan.materialization = find_materialization(plan.subtopologies.back());
  return plan;
}

}  // namespace millrace::inline planner
