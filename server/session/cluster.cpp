#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/log/known_bounds.h"
#include "parser/error/mutex.h"
#include "server/session/service_impl.h"
#include "server/statements/entities.h"

/// What the processes of a service know of each other.
namespace millrace::inline server {
namespace json = boost::json;

json::object ServiceImpl::own_status() {
  const StatePtr known = state();
  json::object queries, lags;
  for (const auto& [id, query] : known->queries)
    queries[id] = json::object{{"activeStores", json::array{}},
                               {"activePartitions", json::array{}},
                               {"standByStores", json::array{}},
                               {"standByPartitions", json::array{}}};
  const auto note_lag = [&](const std::string& query, const std::string& of, int partition, std::int64_t at,
                            std::int64_t end) {
    json::value& store = lags[fmt::format("{}#{}", query, of)];
    if (store.is_null()) store = json::object{{"lagByPartition", json::object{}}};
    store.as_object()["lagByPartition"].as_object()[std::to_string(partition)] = json::object{
        {"currentOffsetPosition", at}, {"endOffsetPosition", end}, {"offsetLag", std::max<std::int64_t>(0, end - at)}};
  };
  const auto note_store = [](json::object& query, std::string_view which, const std::string& store) {
    json::array& stores = query[which].as_array();
    if (std::ranges::find(stores, json::value(store)) == stores.end()) stores.emplace_back(store);
  };
  // What a part does is done for each query that has it.
  std::map<std::string, std::vector<std::pair<std::string, const PhysicalPlan*>>> done_for;
  for (const auto& [id, query] : known->queries) {
    done_for[id].emplace_back(id, query->plan.get());
    for (const PlanPtr& part : query->plan->parts) done_for[part->query_id].emplace_back(id, part.get());
  }
  const std::vector<TaskStatus> tasks = engine_->tasks();
  std::vector<TopicPartition> read;
  for (const TaskStatus& task : tasks)
    for (const TaskStatus::Input& input : task.inputs) read.push_back({input.topic, task.partition});
  // One by one they would take longer than others wait for this.
  const auto bounds = known_bounds(log_, read);
  for (const TaskStatus& task : tasks) {
    for (const auto& [id, plan] : done_for[task.query_id]) {
      json::object& query = queries.at(id).as_object();
      for (const TaskStatus::Input& input : task.inputs) {
        query["activePartitions"].as_array().push_back(
            json::object{{"topic", input.topic}, {"partition", task.partition}});
        note_lag(id, input.topic, task.partition, input.committed,
                 bounds ? bounds->at({input.topic, task.partition}).end : input.committed);
      }
      for (const Subtopology& step : plan->subtopologies) {
        if (step.id != task.subtopology) continue;
        for (const StorePlan& store : step.stores) note_store(query, "activeStores", store.name);
      }
    }
  }
  for (const CopyStatus& copy : engine_->copies()) {
    for (const auto& [id, plan] : done_for[copy.query_id]) {
      json::object& query = queries.at(id).as_object();
      for (const CopyStatus::Store& store : copy.stores) {
        query["standByPartitions"].as_array().push_back(
            json::object{{"topic", store.changelog}, {"partition", copy.partition}});
        note_store(query, "standByStores", store.name);
        note_lag(id, store.name, copy.partition, store.position, store.end);
      }
    }
  }
  const std::int64_t now = wall_clock_ms();
  return {{"hostAlive", true},
          {"lastStatusUpdateMs", now},
          {"activeStandbyPerQuery", std::move(queries)},
          {"hostStoreLags", json::object{{"stateStoreLags", std::move(lags)}, {"updateTimeMs", now}}}};
}

json::object ServiceImpl::report() {
  json::object queries;
  const StatePtr known = state();
  for (const auto& [id, query] : known->queries) queries[id] = query_report(*query, *engine_);
  return {{"queries", std::move(queries)}, {"status", own_status()}};
}

OtherProcesses ServiceImpl::other_processes() {
  OtherProcesses others;
  if (options_.remote == nullptr) return others;
  auto processes = engine_->processes();
  if (!processes) {
    spdlog::warn("the other processes are not known: {}", processes.error().message);
    return others;
  }
  std::erase(*processes, options_.advertised);
  const auto reports = options_.remote->reports(*processes);
  const MutexLock lock(heard_mutex_);
  std::erase_if(heard_, [&](const auto& one) { return std::ranges::find(*processes, one.first) == processes->end(); });
  for (std::size_t i = 0; i < processes->size(); ++i) {
    json::value& said = others[(*processes)[i]];
    boost::system::error_code broken;
    if (reports[i]) said = json::parse(*reports[i], broken);
    if (broken || !said.is_object())
      said = nullptr;
    else
      heard_[(*processes)[i]] = wall_clock_ms();
  }
  return others;
}

json::object ServiceImpl::cluster_status() {
  json::object hosts{{options_.advertised, own_status()}};
  const OtherProcesses others = other_processes();
  const MutexLock lock(heard_mutex_);
  for (const auto& [host, said] : others) {
    const json::value* status = said.is_object() ? said.get_object().if_contains("status") : nullptr;
    const auto heard = heard_.find(host);
    hosts[host] =
        status != nullptr
            ? *status
            : json::object{{"hostAlive", false},
                           {"lastStatusUpdateMs", heard != heard_.end() ? heard->second : 0},
                           {"activeStandbyPerQuery", json::object{}},
                           {"hostStoreLags", json::object{{"stateStoreLags", json::object{}}, {"updateTimeMs", 0}}}};
  }
  return {{"clusterStatus", std::move(hosts)}};
}

}  // namespace millrace::inline server
