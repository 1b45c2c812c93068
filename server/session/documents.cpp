#include "server/session/service_impl.h"

/// What GET endpoints answer.
namespace millrace::inline server {
namespace json = boost::json;
namespace {

std::string cluster_id(ServiceImpl& service) {
  const auto id = service.log().cluster_id();
  return id ? *id : std::string();
}

json::object info(ServiceImpl& service) {
  return {{"KsqlServerInfo", json::object{{"version", service.options().version},
                                          {"kafkaClusterId", cluster_id(service)},
                                          {"ksqlServiceId", service.config().text("ksql.service.id")},
                                          {"serverStatus", service.replays_commands() ? "RUNNING" : "ERROR"}}}};
}

json::object health(ServiceImpl& service) {
  const bool log_healthy = service.log().describe_topic("_health").has_value();
  const bool commands_healthy = service.replays_commands();
  const auto part = [](bool healthy) { return json::object{{"isHealthy", healthy}}; };
  return {{"isHealthy", log_healthy && commands_healthy},
          {"details", json::object{{"metastore", part(commands_healthy)},
                                   {"kafka", part(log_healthy)},
                                   {"commandRunner", part(commands_healthy)}}},
          {"serverState", "READY"}};
}

json::object metadata(ServiceImpl& service) {
  json::object scope{{"path", json::array{}},
                     {"clusters", json::object{{"kafka-cluster", cluster_id(service)},
                                               {"ksql-cluster", service.config().text("ksql.service.id")}}}};
  return {{"version", service.options().version}, {"clusterId", json::object{{"scope", std::move(scope)}, {"id", ""}}}};
}

std::string_view activity(const TaskStatus& task) {
  return task.restoring ? "RESTORING" : task.dirty ? "UNCOMMITTED" : "COMMITTED";
}

json::object tasks(ServiceImpl& service) {
  json::array list;
  for (const TaskStatus& task : service.engine().tasks()) {
    json::array inputs;
    for (const TaskStatus::Input& input : task.inputs)
      inputs.push_back(json::object{{"topic", input.topic},
                                    {"committedOffset", input.committed},
                                    {"consumedOffset", input.consumed},
                                    {"fetchedOffset", input.accepted}});
    list.push_back(json::object{{"query", task.query_id},
                                {"subtopology", task.subtopology},
                                {"partition", task.partition},
                                {"slot", task.slot},
                                {"worker", task.worker},
                                {"state", activity(task)},
                                {"lag", task.lag < 0 ? json::value() : json::value(task.lag)},
                                {"stateBytes", task.state_bytes},
                                {"inputs", std::move(inputs)}});
  }
  return {{"tasks", std::move(list)}};
}

}  // namespace

json::object ServiceImpl::document(Document which) {
  switch (which) {
    case Document::info:
      return info(*this);
    case Document::health:
      return health(*this);
    case Document::cluster_status:
      return cluster_status();
    case Document::metadata:
      return metadata(*this);
    case Document::statuses:
      return statuses();
    case Document::tasks:
      return tasks(*this);
    case Document::report:
      return report();
  }
  return {};
}

}  // namespace millrace::inline server
