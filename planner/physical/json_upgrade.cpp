#include "planner/physical/json_codec.h"
#include "planner/types/civil.h"

namespace millrace::inline planner::plan_json {
namespace {

// Version 1 left the default grace of a join to exec: none meant a day, and unmatched rows at once.
void upgrade_node(json::object& node) {
  if (node.at("op").as_string() == "stream_stream_join") {
    const bool eager = !node.contains("grace");
    node["eager"] = eager;
    if (eager) node["grace"] = kMillisPerDay;
  }
  for (auto& input : node.at("inputs").as_array()) upgrade_node(input.as_object());
}

// It named a store, and exec knew what lies in it.
void upgrade_store(json::object& store) {
  const std::string_view name = store.at("name").as_string();
  store["role"] = name.substr(name.find('/') + 1);
  store["layout"] = 0;  // told by the owner
}

}  // namespace

void upgrade_plan(json::object& plan) {
  for (auto& subtopology : plan.at("subtopologies").as_array()) {
    upgrade_node(subtopology.at("root").as_object());
    for (auto& store : subtopology.at("stores").as_array()) upgrade_store(store.as_object());
  }
}

}  // namespace millrace::inline planner::plan_json
