#include "server/http/handlers.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "server/http/http_sink.h"
#include "server/http/media_type.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

using Exchange = std::shared_ptr<Responder>;

constexpr std::array kV1OrJson = {MediaType::v1, MediaType::json};
constexpr std::array kAll = {MediaType::delimited, MediaType::json, MediaType::v1};
constexpr std::string_view kJson = "application/json";

void answer_error(const Exchange& exchange, const ServiceError& error, const Responder::Headers& headers = {}) {
  exchange->respond(error.code / 100, kJson, json::serialize(error.to_json()), headers);
}
void answer_error(const Exchange& exchange, int code, std::string message, const Responder::Headers& headers = {}) {
  ServiceError error;
  error.code = code;
  error.message = std::move(message);
  answer_error(exchange, error, headers);
}

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
  json::value value = json::parse(request.body, problem);
  if (problem) {
    answer_error(exchange, 40000, fmt::format("Failed to decode request body: {}", problem.message()));
    return std::nullopt;
  }
  if (!value.is_object()) {
    answer_error(exchange, 40000, "Failed to decode request body: expected a JSON object");
    return std::nullopt;
  }
  return std::move(value.as_object());
}

/// Whether the statement is there; answers 40000 otherwise.
bool has_text(const json::object& body, std::string_view field, const Exchange& exchange) {
  const json::value* text = body.if_contains(field);
  if (text != nullptr && text->is_string()) return true;
  answer_error(exchange, 40000, fmt::format("The request has no '{}' field with a text", field));
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
      std::string name(entry.key());
      for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      variables[std::move(name)] = scalar_text(entry.value());
    }
  return variables;
}

Request to_request(const json::object& body, std::string_view text_field, std::string_view properties_field) {
  Request request;
  if (const json::value* text = body.if_contains(text_field); text != nullptr && text->is_string())
    request.sql = std::string(text->get_string());
  request.properties = property_map(body, {properties_field});
  request.variables = variable_map(body);
  if (const json::value* number = body.if_contains("commandSequenceNumber"); number != nullptr && number->is_int64())
    request.command_sequence_number = number->get_int64();
  return request;
}

void ksql(const HttpRequest& request, const Exchange& exchange, Service& service) {
  auto type = agree(request, exchange, kV1OrJson, MediaType::v1);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "ksql", exchange)) return;
  const Reply reply = service.execute(to_request(*body, "ksql", "streamsProperties"));
  if (reply.error) return answer_error(exchange, *reply.error);
  exchange->respond(200, media_type_name(*type), json::serialize(reply.entities));
}

void run_query(const Request& query, MediaType type, const Exchange& exchange, Service& service) {
  auto sink = std::make_shared<HttpSink>(exchange, type);
  Service::Started started = service.query(query, *sink);
  if (started.error) return sink->fail(*started.error);
  if (started.query) sink->own(std::move(started.query));
}

void query(const HttpRequest& request, const Exchange& exchange, Service& service) {
  auto type = agree(request, exchange, kAll, MediaType::v1);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "ksql", exchange)) return;
  if (*type == MediaType::json) type = MediaType::v1;  // `/query` answers JSON in the V1 layout
  run_query(to_request(*body, "ksql", "streamsProperties"), *type, exchange, service);
}

void query_stream(const HttpRequest& request, const Exchange& exchange, Service& service) {
  auto type = agree(request, exchange, kAll, MediaType::delimited);
  if (!type) return;
  auto body = body_object(request, exchange);
  if (!body) return;
  if (!has_text(*body, "sql", exchange)) return;
  Request asked = to_request(*body, "sql", "properties");
  asked.lines = *type == MediaType::delimited;
  run_query(asked, *type, exchange, service);
}

void close_query(const HttpRequest& request, const Exchange& exchange, Service& service) {
  auto body = body_object(request, exchange);
  if (!body) return;
  const json::value* id = body->if_contains("queryId");
  if (id == nullptr || !id->is_string()) return answer_error(exchange, 40000, "The request has no 'queryId' field");
  const std::string name(id->get_string());
  if (!service.close_query(name)) return answer_error(exchange, 40000, fmt::format("No query with id {}", name));
  exchange->respond(200, "", "");
}

/// Acknowledgements of /inserts-stream: lines, or the elements of one array.
class InsertAcks {
 public:
  explicit InsertAcks(MediaType type) : array_(type == MediaType::json) {
    if (array_) out_ += '[';
  }
  void add(std::string_view text) {
    if (array_ && out_.size() > 1) out_ += ',';
    out_ += text;
    if (!array_) out_ += '\n';
  }
  std::string finish() {
    if (array_) out_ += ']';
    return std::move(out_);
  }

 private:
  const bool array_;
  std::string out_;
};

std::string failed_ack(const ServiceError& error, std::uint64_t sequence) {
  json::object object = error.to_json();
  object["status"] = "error";
  object["seq"] = sequence;
  return json::serialize(object);
}

/// The next non-blank line of `rest`.
std::optional<std::string_view> next_line(std::string_view& rest) {
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) return line;
  }
  return std::nullopt;
}

void insert_rows(std::string_view rest, Inserter& inserter, InsertAcks& acks) {
  constexpr std::uint64_t kFlushEvery = 10'000;
  std::uint64_t sequence = 0, flushed = 0;
  std::optional<ServiceError> problem;
  auto flush = [&] {
    problem = inserter.flush();
    if (problem) return;
    for (; flushed < sequence; ++flushed) acks.add(fmt::format("{{\"status\":\"ok\",\"seq\":{}}}", flushed));
  };
  while (auto line = next_line(rest)) {
    boost::system::error_code bad;
    json::value row = json::parse(*line, bad);
    if (bad || !row.is_object()) {
      problem = ServiceError{.code = 40000,
                             .message = "A row must be one JSON object on a line",
                             .statement = {},
                             .span = {},
                             .hint = {},
                             .entities = {}};
    } else {
      problem = inserter.insert(row.get_object());
    }
    if (problem) break;
    if (++sequence % kFlushEvery == 0) flush();
    if (problem) break;
  }
  const std::optional<ServiceError> first = problem;
  // What came before a bad row stays inserted.
  flush();
  if (first)
    acks.add(failed_ack(*first, sequence));
  else if (problem)
    acks.add(failed_ack(*problem, flushed));
}

void inserts_stream(const HttpRequest& request, const Exchange& exchange, Service& service) {
  auto type = agree(request, exchange, kAll, MediaType::delimited);
  if (!type) return;
  std::string_view rest = request.body;
  const auto first = next_line(rest);
  boost::system::error_code bad;
  json::value arguments = json::parse(first.value_or(""), bad);
  if (bad || !arguments.is_object() || !arguments.get_object().contains("target") ||
      !arguments.get_object().at("target").is_string())
    return answer_error(exchange, 40000, "The first line of /inserts-stream must be an object with a 'target'");
  auto opened = service.inserter(std::string(arguments.get_object().at("target").get_string()),
                                 property_map(arguments.get_object(), {"properties"}));
  if (opened.error) return answer_error(exchange, *opened.error);
  InsertAcks acks(*type);
  insert_rows(rest, *opened.inserter, acks);
  exchange->respond(200, media_type_name(*type), acks.finish());
}

template <json::object (Service::*Get)()>
void get_object(const HttpRequest& request, const Exchange& exchange, Service& service) {
  if (auto type = agree(request, exchange, kV1OrJson, MediaType::v1))
    exchange->respond(200, media_type_name(*type), json::serialize((service.*Get)()));
}

void metadata_id(const HttpRequest& request, const Exchange& exchange, Service& service) {
  if (auto type = agree(request, exchange, kV1OrJson, MediaType::v1))
    exchange->respond(200, media_type_name(*type), json::serialize(service.metadata().at("clusterId")));
}

void metrics(const HttpRequest&, const Exchange& exchange, Service& service) {
  exchange->respond(200, "text/plain; version=0.0.4; charset=utf-8", service.metrics());
}
void probe(const HttpRequest&, const Exchange& exchange, Service&) {
  exchange->respond(200, kJson, "{}");
}
void root(const HttpRequest&, const Exchange& exchange, Service&) {
  exchange->respond(307, "", "", {{"Location", "/info"}});
}

struct Route {
  std::string_view method, path;
  void (*run)(const HttpRequest&, const Exchange&, Service&);
  Pace pace = Pace::quick;
};
constexpr Route kRoutes[] = {
    {"GET", "/", root},
    {"POST", "/ksql", ksql, Pace::statement},
    {"POST", "/query", query, Pace::query},
    {"POST", "/query-stream", query_stream, Pace::query},
    {"POST", "/inserts-stream", inserts_stream, Pace::statement},
    {"POST", "/close-query", close_query, Pace::statement},
    {"GET", "/info", get_object<&Service::info>, Pace::statement},
    {"GET", "/healthcheck", get_object<&Service::health>, Pace::statement},
    {"GET", "/clusterStatus", get_object<&Service::cluster_status>},
    {"GET", "/status", get_object<&Service::statuses>},
    {"GET", "/v1/metadata", get_object<&Service::metadata>, Pace::statement},
    {"GET", "/v1/metadata/id", metadata_id, Pace::statement},
    {"GET", "/chc/ready", probe},
    {"GET", "/chc/live", probe},
    {"GET", "/metrics", metrics, Pace::statement},
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

/// `+` stays: these are path segments, not form fields.
std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::sscanf(std::string(text.substr(i + 1, 2)).c_str(), "%2x", &byte) == 1) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Paths that carry a name: /status/{type}/{entity}/{action}, /is_valid_property/{name}.
bool named_path(const HttpRequest& request, const Exchange& exchange, Service& service) {
  constexpr std::string_view kStatus = "/status/", kProperty = "/is_valid_property/";
  const std::string_view path = request.path;
  if (request.method != "GET") return false;
  if (path.starts_with(kStatus)) {
    auto status = service.status(percent_decode(path.substr(kStatus.size())));
    if (!status)
      answer_error(exchange, 40400, "Command not found");
    else
      exchange->respond(200, media_type_name(MediaType::v1), json::serialize(*status));
    return true;
  }
  if (path.starts_with(kProperty)) {
    auto problem = service.check_property(percent_decode(path.substr(kProperty.size())));
    if (problem)
      answer_error(exchange, *problem);
    else
      exchange->respond(200, media_type_name(MediaType::v1), "true");
    return true;
  }
  return false;
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
  if (stage == ServiceStage::starting)
    return answer_error(exchange, 50302, "The server is not ready yet", {{"Retry-After", "10"}});
  answer_error(exchange, 50303, "The server is shutting down");
}

}  // namespace

Pace pace_of(const HttpRequest& request) {
  bool known = false;
  const Route* route = find_route(request, known);
  return route != nullptr ? route->pace : Pace::quick;
}

bool handle_quick(const HttpRequest& request, const Exchange& exchange, Service& service) {
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
  return service.quick_query(query, std::make_shared<QuickSink>(exchange, *type));
}

void handle(const HttpRequest& request, const Exchange& exchange, Service* service, ServiceStage stage) {
  bool known = false;
  const Route* route = find_route(request, known);
  if (service == nullptr) return not_ready(request, exchange, stage);
  try {
    if (route != nullptr) return route->run(request, exchange, *service);
    if (named_path(request, exchange, *service)) return;
  } catch (const std::exception& error) {
    return answer_error(exchange, 50000, error.what());
  }
  if (known) return answer_error(exchange, 40500, "Method Not Allowed");
  answer_error(exchange, 40400, "Not Found");
}

}  // namespace millrace::inline server
