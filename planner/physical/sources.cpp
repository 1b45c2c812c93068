#include "planner/physical/sources.h"

namespace millrace::inline planner {
namespace {

void collect_sources(const PlanNode& node, std::vector<const PlanNode*>& out) {
  if (node.as<SourceNode>() != nullptr) out.push_back(&node);
  for (const NodePtr& input : inputs_of(node)) collect_sources(*input, out);
}

}  // namespace

std::vector<const PlanNode*> sources_of(const PlanNode& root) {
  std::vector<const PlanNode*> out;
  collect_sources(root, out);
  return out;
}

}  // namespace millrace::inline planner
