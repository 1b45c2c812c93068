#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

struct RuleContext {
  ConstantEvaluator evaluate;
  const QueryOptions& options;
};

/// A rewrite: a pure function on a node; null when it does not apply there.
struct Rule {
  std::string_view name;
  NodePtr (*apply)(const NodePtr& node, const RuleContext& context);
  bool optional = true;  // false: the plan does not run without it (repartition insertion)
};

/// The ordered table. Every optional row can be switched off by name.
const std::vector<Rule>& rules();

struct Rewritten {
  NodePtr root;
  std::vector<std::string> fired;  // names, in order of the table
};

/// Applies every rule bottom-up until it changes nothing, in table order. `off` names rules to leave out; "all" leaves
/// out every optional one. Debug builds check schema and kind of the root after each rule.
Rewritten rewrite(NodePtr root, const RuleContext& context, const std::set<std::string>& off = {});

}  // namespace millrace::inline planner
