#include "server/http/handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <regex>

#include "parser/error/letter_case.h"
#include "server/http/http_sink.h"
#include "server/http/http_text.h"
#include "server/http/media_type.h"
#include "server/http/openapi_file.h"
#include "server/http/operate.h"
#include "server/http/schema_api.h"
#include "server/http/visible.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

using Exchange = std::shared_ptr<Responder>;

constexpr std::array kV1OrJson = {MediaType::v1, MediaType::json};
constexpr std::array kAll = {MediaType::delimited, MediaType::json, MediaType::v1, MediaType::protobuf};
constexpr std::string_view kJson = "application/json";

void not_acceptable(const Exchange& exchange) {
  exchange->respond(406, kJson, R"({"@type":"generic_error","error_code":40600,"message":"Not Acceptable"})");
}

/// The type to answer in, or nothing after a 406.
std::optional<MediaType> agree(const HttpRequest& request, const Exchange& exchange, std::span<const MediaType> offered,
                               MediaType fallback) {
  auto type = negotiate(request.accept, offered, fallback);
  if (!type) not_acceptable(exchange);
  return type;
}

/// The body as an object; answers 40000 and gives nothing otherwise.
std::optional<json::object> body_object(const HttpRequest& request, const Exchange& exchange) {
  boost::system::error_code problem;
  std::string_view text = request.body;
  if (constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF"; text.starts_with(kByteOrderMark))
    text.remove_prefix(kByteOrderMark.size());
  json::value value = json::parse(text, problem);
  if (problem) {
    answer_error(exchange, kBadRequest, fmt::format("Failed to decode request body: {}", problem.message()));
    return std::nullopt;
  }
  if (!value.is_object()) {
    answer_error(exchange, kBadRequest, "Failed to decode request body: expected a JSON object");
    return std::nullopt;
  }
  return std::move(value.as_object());
}

/// Whether the statement is there; answers 40000 otherwise.
bool has_text(const json::object& body, std::string_view field, const Exchange& exchange) {
  const json::value* text = body.if_contains(field);
  if (text != nullptr && text->is_string()) return true;
  answer_error(exchange, kBadRequest, fmt::format("The request has no '{}' field with a text", field));
  return false;
}

std::string scalar_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

PropertyMap property_map(const json::object& object, std::initializer_list<std::string_view> names) {
  PropertyMap properties;
  for (std::string_view name : names)
    if (const json::value* value = object.if_contains(name); value != nullptr && value->is_object())
      for (const auto& entry : value->get_object())
        if (!entry.value().is_null()) properties[entry.key()] = scalar_text(entry.value());
  return properties;
}

Variables variable_map(const json::object& object) {
  Variables variables;
  if (const json::value* value = object.if_contains("sessionVariables"); value != nullptr && value->is_object())
    for (const auto& entry : value->get_object()) {
      variables[upper_case(entry.key())] = scalar_text(entry.value());
    }
  return variables;
}

Request to_request(const json::object& body, std::string_view text_field, std::string_view properties_field) {
  Request request;
  if (const json::value* text = body.if_contains(text_field); text != nullptr && text->is_string())
    request.sql = std::string(text->get_string());
  request.properties = property_map(body, {properties_field});
  request.variables = variable_map(body);
  request.request_properties = property_map(body, {"requestProperties"});
  if (const json::value* number = body.if_contains("commandSequenceNumber"); number != nullptr && !number->is_null()) {
    const std::string text = scalar_text(*number);  // clients send texts too
    std::int64_t sequence = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), sequence).ec == std::errc())
      request.command_sequence_number = sequence;
  }
  return request;
}

/// Why the user may not run this.
std::optional<ServiceError> forbidden(const Request& asked, const HttpRequest& request, const HandlerContext& context) {
  if (context.access == nullptr || !request.user) return std::nullopt;
  return context.access->check(*request.user, asked, context.service->catalog());
}
/// Whether there is something that the user may not see.
bool is_limited(const HttpRequest& request, const HandlerContext& context) {
  return context.access != nullptr && request.user && !context.access->is_unlimited(*request.user);
}

/// Whom limits are for.
std::string who_asks(const HttpRequest& request) {
  return request.user ? "user " + request.user->name : request.peer;
}
/// False after a 429.
bool may_ask(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  const auto& rates = context.terms.rates;
  if (!rates || rates->take_request(who_asks(request), UserRates::Clock::now())) return true;
  answer_error(exchange, kTooManyRequests, "Too many requests in this second", {{"Retry-After", "1"}});
  return false;
}

void ksql(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kV1OrJson, MediaType::v1);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "ksql", exchange) || !may_ask(request, exchange, context)) return;
  const Request asked = to_request(*body, "ksql", "streamsProperties");
  if (auto denied = forbidden(asked, request, context)) {
    audit(request, *context.service, "STATEMENT", asked.sql, &*denied);
    return answer_error(exchange, *denied);
  }
  const SlowRequest slow(context.terms.slow, request, asked.sql);
  Reply reply = context.service->execute(asked);
  slow.over();
  audit(request, *context.service, "STATEMENT", asked.sql, reply.error ? &*reply.error : nullptr);
  if (is_limited(request, context)) {
    const Visible visible(*context.access, *request.user, context.service->catalog());
    visible.filter(reply.entities);
    if (reply.error) visible.cleanse(*reply.error);
  }
  if (reply.error) return answer_error(exchange, *reply.error);
  exchange->respond(200, media_type_name(*type), json::serialize(reply.entities));
}

void run_query(const Request& query, MediaType type, const HttpRequest& request, const Exchange& exchange,
               const HandlerContext& context) {
  if (!may_ask(request, exchange, context)) return;
  if (auto denied = forbidden(query, request, context)) {
    audit(request, *context.service, "QUERY", query.sql, &*denied);
    return answer_error(exchange, *denied);
  }
  auto sink = std::make_shared<HttpSink>(exchange, type, context.ender, context.streams,
                                         SinkTerms{SlowRequest(context.terms.slow, request, query.sql),
                                                   context.terms.rates, who_asks(request), context.terms.pull_rows});
  Service::Started started = context.service->query(query, *sink);
  audit(request, *context.service, "QUERY", query.sql, started.error ? &*started.error : nullptr);
  if (started.error && is_limited(request, context))
    Visible(*context.access, *request.user, context.service->catalog()).cleanse(*started.error);
  if (started.error) return sink->fail(*started.error);
  if (started.query) sink->own(std::move(started.query));
}

void query(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kAll, MediaType::v1);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "ksql", exchange)) return;
  if (*type == MediaType::json) type = MediaType::v1;  // `/query` answers JSON in the V1 layout
  Request asked = to_request(*body, "ksql", "streamsProperties");
  asked.lines = *type != MediaType::protobuf;
  run_query(asked, *type, request, exchange, context);
}

/// `GET /ws/query?request=…`, after the upgrade; its answer goes out in frames.
void websocket_query(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (!request.websocket)
    return answer_error(exchange, kUpgradeRequired, "This endpoint takes WebSockets only", {{"Upgrade", "websocket"}});
  HttpRequest inner;
  inner.body = query_value(request.query, "request");
  auto body = body_object(inner, exchange);
  if (!body || !has_text(*body, "ksql", exchange)) return;
  run_query(to_request(*body, "ksql", "streamsProperties"), MediaType::frames, request, exchange, context);
}

void query_stream(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kAll, MediaType::delimited);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "sql", exchange)) return;
  Request asked = to_request(*body, "sql", "properties");
  asked.lines = *type == MediaType::delimited;
  run_query(asked, *type, request, exchange, context);
}

void close_query(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto body = body_object(request, exchange);
  if (!body) return;
  const json::value* id = body->if_contains("queryId");
  if (id == nullptr || !id->is_string())
    return answer_error(exchange, kBadRequest, "The request has no 'queryId' field");
  const std::string name(id->get_string());
  // Of a query that somebody else began nothing is told.
  if (is_limited(request, context) && !context.access->allows(*request.user, Privilege::terminate) &&
      context.streams.owner(name) != who_asks(request))
    return answer_error(exchange, kBadRequest, fmt::format("No query with id {}", name));
  if (!context.service->close_query(name))
    return answer_error(exchange, kBadRequest, fmt::format("No query with id {}", name));
  exchange->respond(200, "", "");
}

template <Document which>
void show(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (auto type = agree(request, exchange, kV1OrJson, MediaType::v1))
    exchange->respond(200, media_type_name(*type), json::serialize(context.service->document(which)));
}

void statuses(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kV1OrJson, MediaType::v1);
  if (!type) return;
  json::object all = context.service->document(Document::statuses);
  if (is_limited(request, context)) {
    const Visible visible(*context.access, *request.user, context.service->catalog());
    json::object& commands = all.at("commandStatuses").as_object();
    json::object kept;
    for (auto& command : commands)
      if (visible.command(command.key())) kept.insert_or_assign(command.key(), command.value());
    commands = std::move(kept);
  }
  exchange->respond(200, media_type_name(*type), json::serialize(all));
}

/// Which server has which queries is for those who operate them.
void cluster_status(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kV1OrJson, MediaType::v1);
  if (!type) return;
  json::object all = context.service->document(Document::cluster_status);
  if (is_limited(request, context) && !context.access->allows(*request.user, Privilege::terminate))
    for (auto& host : all.at("clusterStatus").as_object()) {
      json::object& state = host.value().as_object();
      state["activeStandbyPerQuery"] = json::object();
      if (json::value* lags = state.if_contains("hostStoreLags"); lags != nullptr && lags->is_object())
        lags->as_object()["stateStoreLags"] = json::object();
    }
  exchange->respond(200, media_type_name(*type), json::serialize(all));
}

void metadata_id(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (auto type = agree(request, exchange, kV1OrJson, MediaType::v1))
    exchange->respond(200, media_type_name(*type),
                      json::serialize(context.service->document(Document::metadata).at("clusterId")));
}

/// Whether a topic is in the `deleteTopicList` of /ksql/terminate: names or regular expressions.
bool is_listed(const std::string& topic, const json::object& body) {
  const json::value* list = body.if_contains("deleteTopicList");
  if (list == nullptr || !list->is_array()) return false;
  return std::any_of(list->get_array().begin(), list->get_array().end(), [&](const json::value& entry) {
    return entry.is_string() && std::regex_match(topic, std::regex(std::string(entry.get_string())));
  });
}

/// Ends every query and drops every source: those that others read are dropped in a later round.
std::optional<ServiceError> drop_everything(const json::object& body, Service& service) {
  const auto run = [&](const std::string& sql) {
    return service.execute({.sql = sql, .properties = {}, .variables = {}, .command_sequence_number = {}}).error;
  };
  if (!service.query_ids().empty())
    for (const std::string& id : service.query_ids()) (void)run(fmt::format("TERMINATE {};", id));
  std::optional<ServiceError> problem;
  for (std::size_t left = service.catalog().sources.size() + 1; left > service.catalog().sources.size();) {
    left = service.catalog().sources.size();
    const Catalog catalog = service.catalog();
    for (const auto& [name, source] : catalog.sources) {
      const bool deletes = source->from_query && is_listed(source->topic, body);
      problem = run(fmt::format("DROP {} `{}`{};", source->kind == RelationKind::table ? "TABLE" : "STREAM", name,
                                deletes ? " DELETE TOPIC" : ""));
    }
    if (service.catalog().sources.empty()) return std::nullopt;
  }
  return problem;
}

void terminate_cluster(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  auto type = agree(request, exchange, kV1OrJson, MediaType::v1);
  if (!type || !may_configure(request, exchange, context)) return;
  HttpRequest given = request;
  if (given.body.empty()) given.body = "{}";
  auto body = body_object(given, exchange);
  if (!body) return;
  audit(request, *context.service, "TERMINATE CLUSTER", given.body, nullptr);
  try {
    if (auto problem = drop_everything(*body, *context.service)) return answer_error(exchange, *problem);
  } catch (const std::regex_error& error) {
    return answer_error(exchange, kBadRequest, fmt::format("deleteTopicList: {}", error.what()));
  }
  const json::object status{{"status", "SUCCESS"}, {"message", "The cluster is terminated"}, {"queryId", nullptr}};
  const json::array answer{json::object{{"@type", "currentStatus"},
                                        {"statementText", "TERMINATE CLUSTER;"},
                                        {"commandId", "cluster/TerminateCluster/terminate"},
                                        {"commandStatus", status},
                                        {"commandSequenceNumber", -1},
                                        {"warnings", json::array{}}}};
  context.terminate();
  exchange->respond(200, media_type_name(*type), json::serialize(answer));
}

/// What servers of a ksqlDB cluster tell each other; here the log tells it.
void heartbeat(const HttpRequest& request, const Exchange& exchange, const HandlerContext&) {
  if (body_object(request, exchange)) exchange->respond(200, media_type_name(MediaType::v1), R"({"isOk":true})");
}

void openapi(const HttpRequest&, const Exchange& exchange, const HandlerContext&) {
  exchange->respond(200, kJson, kOpenApiFiles.front().second);
}

void metrics(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (!may_configure(request, exchange, context)) return;
  exchange->respond(200, "text/plain; version=0.0.4; charset=utf-8", context.service->metrics());
}
void probe(const HttpRequest&, const Exchange& exchange, const HandlerContext&) {
  exchange->respond(200, kJson, "{}");
}
void root(const HttpRequest&, const Exchange& exchange, const HandlerContext&) {
  exchange->respond(307, "", "", {{"Location", "/info"}});
}

struct Route {
  std::string_view method, path;
  void (*run)(const HttpRequest&, const Exchange&, const HandlerContext&);
  Pace pace = Pace::quick;
};
constexpr Route kRoutes[] = {
    {"GET", "/", root},
    {"POST", "/ksql", ksql, Pace::statement},
    {"POST", "/query", query, Pace::query},
    {"POST", "/query-stream", query_stream, Pace::query},
    {"POST", "/close-query", close_query, Pace::statement},
    {"POST", "/ksql/terminate", terminate_cluster, Pace::statement},
    {"POST", "/heartbeat", heartbeat},
    {"POST", "/lag", heartbeat},
    {"GET", "/openapi.json", openapi},
    {"GET", "/ws/query", websocket_query, Pace::query},
    {"GET", "/info", show<Document::info>, Pace::statement},
    {"GET", "/healthcheck", show<Document::health>, Pace::statement},
    {"GET", "/clusterStatus", cluster_status, Pace::statement},
    {"GET", "/status", statuses},
    {"GET", "/v1/metadata", show<Document::metadata>, Pace::statement},
    {"GET", "/v1/metadata/id", metadata_id, Pace::statement},
    {"GET", "/chc/ready", probe},
    {"GET", "/chc/live", probe},
    {"GET", "/metrics", metrics, Pace::quick},
    {"GET", "/debug/tasks", debug_tasks, Pace::statement},
    {"GET", "/debug/log-level", show_log_level},
    {"POST", "/debug/log-level", change_log_level},
    {"POST", "/backup", back_up, Pace::statement},
};

const Route* find_route(const HttpRequest& request, bool& path_known) {
  path_known = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    path_known = true;
    if (route.method == request.method) return &route;
  }
  return nullptr;
}

std::string allowed_methods(std::string_view path) {
  std::string methods = path == "/inserts-stream" ? "POST" : "";
  for (const Route& route : kRoutes)
    if (route.path == path) methods += (methods.empty() ? "" : ", ") + std::string(route.method);
  return methods;
}

/// Paths that carry a name: /status/{type}/{entity}/{action}, /is_valid_property/{name}.
bool named_path(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  constexpr std::string_view kStatus = "/status/", kProperty = "/is_valid_property/";
  const std::string_view path = request.path;
  if (request.method != "GET") return false;
  if (path.starts_with(kStatus)) {
    const std::string id = percent_decode(path.substr(kStatus.size()));
    const bool visible = !is_limited(request, context) ||
                         Visible(*context.access, *request.user, context.service->catalog()).command(id);
    const auto status = visible ? context.service->status(id) : std::nullopt;
    if (!status)
      answer_error(exchange, kNotFound, "Command not found");
    else
      exchange->respond(200, media_type_name(MediaType::v1), json::serialize(*status));
    return true;
  }
  if (path.starts_with(kProperty)) {
    auto problem = context.service->check_property(percent_decode(path.substr(kProperty.size())));
    if (problem)
      answer_error(exchange, *problem);
    else
      exchange->respond(200, media_type_name(MediaType::v1), "true");
    return true;
  }
  return false;
}

/// The schema registry's API, where schemas are kept here.
bool schema_path(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  LocalRegistry* registry = is_schema_path(request.path) ? context.service->local_registry() : nullptr;
  if (registry == nullptr) return false;
  const auto sees = [&](const std::string& subject) {  // it is named after its topic
    return context.access->sees(*request.user, subject.substr(0, subject.rfind('-')));
  };
  const bool visible =
      request.method == "GET" && (!is_limited(request, context) || is_about(request.path, *registry, sees));
  if (!visible && !may_configure(request, exchange, context)) return true;
  const SchemaAnswer answer = answer_schema_request(request, *registry);
  exchange->respond(answer.status, "application/vnd.schemaregistry.v1+json", answer.body);
  return true;
}

/// What is answered without a service.
void not_ready(const HttpRequest& request, const Exchange& exchange, ServiceStage stage) {
  if (request.path == "/chc/live") return exchange->respond(200, kJson, "{}");
  if (request.path == "/info")
    return exchange->respond(
        200, media_type_name(MediaType::v1),
        R"({"KsqlServerInfo":{"version":"","kafkaClusterId":"","ksqlServiceId":"","serverStatus":"INITIALIZING"}})");
  if (request.path == "/healthcheck")
    return exchange->respond(200, media_type_name(MediaType::v1),
                             stage == ServiceStage::starting
                                 ? R"({"isHealthy":false,"details":{},"serverState":"INITIALIZING"})"
                                 : R"({"isHealthy":false,"details":{},"serverState":"TERMINATING"})");
  if (stage == ServiceStage::terminated)
    return answer_error(exchange, kTerminated, "The server is terminated until it is started again");
  if (stage == ServiceStage::starting)
    return answer_error(exchange, kNotReady, "The server is not ready yet", {{"Retry-After", "10"}});
  answer_error(exchange, kStopping, "The server is shutting down");
}

}  // namespace

Pace pace_of(const HttpRequest& request) {
  bool known = false;
  const Route* route = find_route(request, known);
  if (route == nullptr && is_schema_path(request.path)) return Pace::statement;
  return route != nullptr ? route->pace : Pace::quick;
}

bool handle_quick(const HttpRequest& request, const Exchange& exchange, Service& service, const AnswerTerms& terms) {
  const bool stream = request.path == "/query-stream";
  if (request.method != "POST" || (!stream && request.path != "/query")) return false;
  auto type = negotiate(request.accept, kAll, stream ? MediaType::delimited : MediaType::v1);
  if (!type) return false;
  if (!stream && *type == MediaType::json) type = MediaType::v1;
  unsigned char memory[4096];
  json::monotonic_resource resource(memory, sizeof memory);
  boost::system::error_code problem;
  const json::value body = json::parse(request.body, problem, &resource);
  if (problem || !body.is_object()) return false;
  const Request query = stream ? to_request(body.get_object(), "sql", "properties")
                               : to_request(body.get_object(), "ksql", "streamsProperties");
  return service.quick_query(query, std::make_shared<QuickSink>(
                                        exchange, *type, SlowRequest(terms.slow, request, query.sql), terms.pull_rows));
}

void handle(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  bool known = false;
  const Route* route = find_route(request, known);
  if (context.service == nullptr) return not_ready(request, exchange, context.stage);
  try {
    if (route != nullptr) return route->run(request, exchange, context);
    if (named_path(request, exchange, context) || schema_path(request, exchange, context)) return;
  } catch (const std::exception& error) {
    return answer_error(exchange, kServerError, error.what());
  }
  if (request.method == "OPTIONS" && request.path == "*")
    return exchange->respond(204, "", "", {{"Allow", "GET, HEAD, POST, OPTIONS"}});
  if (known || request.path == "/inserts-stream")
    return answer_error(exchange, kMethodNotAllowed, "Method Not Allowed", {{"Allow", allowed_methods(request.path)}});
  answer_error(exchange, kNotFound, "Not Found");
}

}  // namespace millrace::inline server
