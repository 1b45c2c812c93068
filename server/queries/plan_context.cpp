#include "server/queries/plan_context.h"

#include "exec/expr/evaluator.h"

namespace millrace::inline server {

PlanContext plan_context(const std::string& query_id, bool transient, const PropertyMap& properties,
                         const Config& config) {
  PlanContext context{.physical = {.service_id = config.text("ksql.service.id"),
                                   .query_id = query_id,
                                   .transient = transient,
                                   .persistent_prefix = config.text("ksql.persistent.prefix")},
                      .evaluate = evaluate_constant,
                      .rules_off = {}};
  if (auto it = properties.find("millrace.rules.off"); it != properties.end())
    context.rules_off = read_rule_names(it->second);
  return context;
}

}  // namespace millrace::inline server
