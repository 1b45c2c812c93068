#include <fmt/format.h>
#include <fmt/ranges.h>

#include "planner/physical/guarantee.h"
#include "planner/physical/plan.h"

namespace millrace::inline planner {

namespace {

void add_subtopologies(const PhysicalPlan& plan, std::string& out) {
  for (const auto& subtopology : plan.subtopologies) {
    out += fmt::format("subtopology {}\n", subtopology.id);
    const std::string tree = explain(subtopology.root);
    for (std::size_t begin = 0; begin < tree.size();) {
      const std::size_t end = tree.find('\n', begin) + 1;
      out += "  " + tree.substr(begin, end - begin);
      begin = end;
    }
    for (const auto& store : subtopology.stores) {
      out += fmt::format("  store {}", store.name);
      if (store.retention_ms) out += fmt::format(" retention={} ms", *store.retention_ms);
      if (!store.changelog_topic.empty()) out += fmt::format(" changelog={}", store.changelog_topic);
      out += "\n";
    }
  }
}

void add_topics(const PhysicalPlan& plan, std::string& out) {
  for (const auto& topic : plan.topics) {
    if (topic.changelog || topic.readers.empty()) continue;
    out += fmt::format("repartition topic {} read by {} {}\n", topic.name,
                       topic.readers.size() > 1 ? "subtopologies" : "subtopology", fmt::join(topic.readers, " and "));
  }
}

}  // namespace

std::string explain(const PhysicalPlan& plan, const std::map<std::string, std::vector<std::string>>& sharers) {
  std::string out = fmt::format("query {}\n", plan.query_id);
  std::string fired;
  for (const auto& rule : plan.fired_rules) fired += (fired.empty() ? "" : ", ") + rule;
  out += fmt::format("rules: {}\n", fired.empty() ? "none" : fired);
  if (const std::string guarantee = guarantee_of(plan); !guarantee.empty())
    out += fmt::format("guarantee: {}\n", guarantee);
  for (const PlanPtr& part : plan.parts) {
    const auto others = sharers.find(part->query_id);
    const bool any = others != sharers.end() && !others->second.empty();
    out += fmt::format("part {}, shared with {}\n", part->query_id,
                       any ? fmt::format("{}", fmt::join(others->second, ", ")) : "no other query");
    add_subtopologies(*part, out);
    add_topics(*part, out);
    for (const std::string& topic : given_topics(*part))
      out += fmt::format("repartition topic {} read by the queries\n", topic);
  }
  if (!plan.parts.empty()) out += fmt::format("of {} alone\n", plan.query_id);
  add_subtopologies(plan, out);
  add_topics(plan, out);
  if (plan.materialization)
    out += fmt::format("pull queries read {} of subtopology {}\n", plan.materialization->store,
                       plan.materialization->subtopology);
  if (plan.materialization)
    for (const TableIndex& index : plan.materialization->indexes)
      out += fmt::format("index {} ({})\n", index.name, fmt::join(index.columns, ", "));
  return out;
}

}  // namespace millrace::inline planner
