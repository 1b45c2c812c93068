#include "server/queries/make_plan.h"

#include <set>

#include "exec/expr/evaluator.h"
#include "planner/rules/rules.h"

namespace millrace::inline server {

std::shared_ptr<const PhysicalPlan> make_plan(const NodePtr& root, const QueryOptions& options,
                                              const std::string& query_id, bool transient,
                                              const PropertyMap& properties, const Config& config,
                                              std::vector<std::string>* fired) {
  std::set<std::string> off;
  if (auto it = properties.find("millrace.rules.off"); it != properties.end()) {
    std::size_t at = 0;
    while (at < it->second.size()) {
      std::size_t comma = std::min(it->second.find(',', at), it->second.size());
      off.insert(it->second.substr(at, comma - at));
      at = comma + 1;
    }
  }
  Rewritten rewritten = rewrite(root, {evaluate_constant, options}, off);
  if (fired != nullptr) *fired = rewritten.fired;
  auto plan =
      std::make_shared<PhysicalPlan>(make_physical(rewritten.root, options,
                                                   {.service_id = config.text("ksql.service.id"),
                                                    .query_id = query_id,
                                                    .transient = transient,
                                                    .persistent_prefix = config.text("ksql.persistent.prefix")}));
  plan->fired_rules = std::move(rewritten.fired);
  return plan;
}

}  // namespace millrace::inline server
