#include "planner/physical/guarantee.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "planner/types/topic_name.h"

namespace millrace::inline planner {

std::string guarantee_of(const PhysicalPlan& plan) {
  const auto* sink = plan.subtopologies.back().root->as<SinkNode>();
  if (sink == nullptr) return {};
  if (!cluster_of(sink->topic).empty())
    return fmt::format(
        "at-least-once into {}: after a failure rows may be written once more, with the same keys and in the same "
        "order; position and state are kept exactly-once",
        sink->topic);
  std::set<std::string_view> elsewhere;
  const auto look = [&](const PhysicalPlan& one) {
    for (const Subtopology& subtopology : one.subtopologies)
      for (const StepName& step : subtopology.steps)
        if (const auto* source = step.node->as<SourceNode>(); source != nullptr && !cluster_of(source->topic).empty())
          elsewhere.insert(source->topic);
  };
  look(plan);
  for (const PlanPtr& part : plan.parts) look(*part);
  return elsewhere.empty() ? std::string() : fmt::format("exactly-once, from {}", fmt::join(elsewhere, ", "));
}

}  // namespace millrace::inline planner
