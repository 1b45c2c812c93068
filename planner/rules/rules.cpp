#include "planner/rules/rules.h"

#include "parser/error/ensure.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

constexpr int kMaxPasses = 100;  // far beyond the depth of any plan; a rule that never settles is a bug

NodePtr apply_bottom_up(const Rule& rule, const NodePtr& node, const RuleContext& context, bool& changed) {
  const NodePtr here =
      map_inputs(node, [&](const NodePtr& input) { return apply_bottom_up(rule, input, context, changed); });
  NodePtr rewritten = rule.apply(here, context);
  if (!rewritten) return here;
  changed = true;
  return rewritten;
}

bool same_result(const PlanNode& a, const PlanNode& b) {
  return a.schema == b.schema && a.kind == b.kind && a.window == b.window;
}

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"constant_folding", constant_folding},
      {"sharing", sharing},  // before others make something else of what is equal
      {"predicate_pushdown", predicate_pushdown},
      {"repartition_insertion", repartition_insertion, false},
      {"repartition_elision", repartition_elision},
      {"column_pruning", column_pruning},
      {"aggregate_combining", aggregate_combining},
      {"thinning", thinning},
  };
  return kRules;
}

Rewritten rewrite(NodePtr root, const RuleContext& context, const std::set<std::string>& off) {
  Rewritten result{.root = std::move(root), .fired = {}};
  for (const Rule& rule : rules()) {
    if (rule.optional && (off.contains("all") || off.contains(std::string(rule.name)))) continue;
    bool fired = false;
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      bool changed = false;
      NodePtr rewritten = apply_bottom_up(rule, result.root, context, changed);
      if (!changed) break;
      ensure(same_result(*rewritten, *result.root));
      result.root = std::move(rewritten);
      fired = true;
    }
    if (fired) result.fired.emplace_back(rule.name);
  }
  return result;
}

}  // namespace millrace::inline planner
