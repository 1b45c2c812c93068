#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/data/wall_clock.h"
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
  for (const TaskStatus& task : engine_->tasks()) {
    json::value* query = queries.if_contains(task.query_id);
    if (query == nullptr) continue;
    json::array& partitions = query->as_object()["activePartitions"].as_array();
    for (const TaskStatus::Input& input : task.inputs) {
      partitions.push_back(json::object{{"topic", input.topic}, {"partition", task.partition}});
      json::value& store = lags[fmt::format("{}#{}", task.query_id, input.topic)];
      if (store.is_null()) store = json::object{{"lagByPartition", json::object{}}};
      const auto bounds = log_.bounds({input.topic, task.partition});
      const std::int64_t end = bounds ? bounds->end : input.committed;
      store.as_object()["lagByPartition"].as_object()[std::to_string(task.partition)] =
          json::object{{"currentOffsetPosition", input.committed},
                       {"endOffsetPosition", end},
                       {"offsetLag", std::max<std::int64_t>(0, end - input.committed)}};
    }
    for (const Subtopology& part : known->queries.at(task.query_id)->plan->subtopologies) {
      if (part.id != task.subtopology) continue;
      json::array& stores = query->as_object()["activeStores"].as_array();
      for (const StorePlan& store : part.stores)
        if (std::ranges::find(stores, json::value(store.name)) == stores.end()) stores.emplace_back(store.name);
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
