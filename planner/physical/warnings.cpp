#include "planner/physical/warnings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace millrace::inline planner {
namespace {

class Warner {
 public:
  explicit Warner(const PhysicalPlan& plan) : plan_(plan) {}

  std::vector<std::string> run() {
    for (const Subtopology& subtopology : plan_.subtopologies)
      for (const StepName& step : subtopology.steps) look_at(step);
    return std::move(warnings_);
  }

 private:
  void look_at(const StepName& step) {
    if (const auto* join = step.node->as<StreamStreamJoinNode>(); join != nullptr && !join->retention_ms()) {
      for (const NodePtr* side : {&join->left, &join->right})
        warnings_.push_back(fmt::format("{} keeps every row of {} for ever. Bound it with WITHIN, TTL or a window.",
                                        step.name, names_of(**side)));
    }
    if (const auto* join = step.node->as<BroadcastJoinNode>(); join != nullptr && join->left_values.empty()) {
      warnings_.push_back(fmt::format("{} has no equality: each row of {} is compared with all kept rows of {}.",
                                      step.name, names_of(*join->left), names_of(*join->right)));
    }
  }

  /// The streams and tables that a relation is made of, in the order of the query.
  std::string names_of(const PlanNode& node) const {
    std::vector<std::string> names;
    collect(node, names);
    return fmt::format("{}", fmt::join(names, ", "));
  }
  void collect(const PlanNode& node, std::vector<std::string>& names) const {
    const auto* source = node.as<SourceNode>();
    if (source != nullptr && source->internal) {
      for (const Subtopology& writer : plan_.subtopologies) {
        const auto* sink = writer.root->as<SinkNode>();
        if (sink != nullptr && sink->topic == source->topic) collect(*sink->input, names);
      }
    } else if (source != nullptr && std::find(names.begin(), names.end(), source->name) == names.end()) {
      names.push_back(source->name);
    }
    for (const NodePtr& input : inputs_of(node)) collect(*input, names);
  }

  const PhysicalPlan& plan_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::vector<std::string> warnings_of(const PhysicalPlan& plan) {
  return Warner(plan).run();
}

}  // namespace millrace::inline planner
