#include "planner/physical/pace_rules.h"

#include <algorithm>

#include "planner/physical/sources.h"

namespace millrace::inline planner {
namespace {

template <class Which>
bool any_source(const PlanNode& root, const Which& which) {
  return std::ranges::any_of(sources_of(root),
                             [&](const PlanNode* source) { return which(*source->as<SourceNode>()); });
}

bool reads(const Subtopology& reader, const Subtopology& writer) {
  const auto* sink = writer.root->as<SinkNode>();
  return sink != nullptr &&
         any_source(*reader.root, [&](const SourceNode& source) { return source.topic == sink->topic; });
}

/// Of what is given to others, who look at it there.
bool gives_to_lookers(const PhysicalPlan& plan, const Subtopology& subtopology) {
  const auto* sink = subtopology.root->as<SinkNode>();
  return sink != nullptr && std::ranges::any_of(plan.topics, [&](const InternalTopic& topic) {
           return topic.name == sink->topic && !topic.paces.empty();
         });
}

void collect(const PlanNode& node, std::vector<PaceRule>& rules) {
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate != nullptr && aggregate->window) {
    const WindowSpec& window = *aggregate->window;
    rules.push_back(window.type == WindowType::session
                        ? PaceRule{.gap_ms = window.size_ms, .grace_ms = window.grace_ms}
                        : PaceRule{window.size_ms, window.advance_ms, 0, window.grace_ms});
  } else if (const auto* sort = node.as<TimeSortNode>()) {
    rules.push_back({.grace_ms = sort->grace_ms});
  } else if (const auto* join = node.as<StreamStreamJoinNode>(); join != nullptr && !join->window_key) {
    const auto late = join->unbounded() ? join->ttl_ms : join->grace_ms;
    if (late) rules.push_back({.grace_ms = *late});
  }
  for (const NodePtr& input : inputs_of(node)) collect(*input, rules);
}

}  // namespace

std::vector<PaceRule> pace_rules(const PlanNode& root) {
  std::vector<PaceRule> rules;
  collect(root, rules);
  return rules;
}

bool reads_any(const Subtopology& subtopology, bool internal) {
  return any_source(*subtopology.root,
                    [&](const SourceNode& source) { return source.internal == internal && !source.broadcast; });
}

PaceRoles pace_roles(const PhysicalPlan& plan) {
  const std::size_t count = plan.subtopologies.size();
  PaceRoles roles{std::vector<bool>(count), std::vector<bool>(count)};
  for (std::size_t i = count; i-- > 0;) {  // readers first
    const Subtopology& one = plan.subtopologies[i];
    roles.looks[i] = reads_any(one, true) && !pace_rules(*one.root).empty();
    roles.feeds[i] = gives_to_lookers(plan, one);
    for (std::size_t reader = i + 1; reader < count; ++reader)
      if ((roles.looks[reader] || roles.feeds[reader]) && reads(plan.subtopologies[reader], one)) roles.feeds[i] = true;
  }
  return roles;
}

}  // namespace millrace::inline planner
