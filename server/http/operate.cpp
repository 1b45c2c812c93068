#include "server/http/operate.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "server/http/slow_request.h"
#include "server/queries/audit_log.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

using Exchange = std::shared_ptr<Responder>;
constexpr std::string_view kJson = "application/json";

void answer(const Exchange& exchange, const json::value& body) {
  exchange->respond(200, kJson, json::serialize(body));
}

/// The text of a field of the body; empty after an answer with 40000.
std::string field_of(const HttpRequest& request, const Exchange& exchange, std::string_view name) {
  boost::system::error_code bad;
  const json::value body = json::parse(request.body, bad);
  const json::value* field = !bad && body.is_object() ? body.get_object().if_contains(name) : nullptr;
  if (field != nullptr && field->is_string() && !field->get_string().empty()) return std::string(field->get_string());
  answer_error(exchange, kBadRequest, fmt::format("The request has no '{}' field with a text", name));
  return {};
}

json::object level_object() {
  const auto name = spdlog::level::to_string_view(spdlog::get_level());
  return {{"level", json::string_view(name.data(), name.size())}};
}

}  // namespace

void answer_error(const Exchange& exchange, const ServiceError& error, const Responder::Headers& headers) {
  exchange->respond(error.code / 100, kJson, json::serialize(error.to_json()), headers);
}

void answer_error(const Exchange& exchange, int code, std::string message, const Responder::Headers& headers) {
  answer_error(exchange, service_error(code, std::move(message)), headers);
}

bool may_configure(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (context.access == nullptr || !request.user || context.access->allows(*request.user, Privilege::configure))
    return true;
  answer_error(exchange, kForbidden, "You are forbidden from using this cluster.");
  return false;
}

bool set_log_level(std::string_view level) {
  constexpr std::pair<std::string_view, spdlog::level::level_enum> kLevels[] = {{"debug", spdlog::level::debug},
                                                                                {"info", spdlog::level::info},
                                                                                {"warn", spdlog::level::warn},
                                                                                {"warning", spdlog::level::warn},
                                                                                {"error", spdlog::level::err}};
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    spdlog::set_level(value);
    return true;
  }
  return false;
}

void debug_tasks(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (may_configure(request, exchange, context)) answer(exchange, context.service->document(Document::tasks));
}

void show_log_level(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (may_configure(request, exchange, context)) answer(exchange, level_object());
}

void change_log_level(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (!may_configure(request, exchange, context)) return;
  const std::string level = field_of(request, exchange, "level");
  if (level.empty()) return;
  if (!set_log_level(level))
    return answer_error(exchange, kBadRequest, fmt::format("'{}' is no log level: debug, info, warn, error", level));
  answer(exchange, level_object());
}

void back_up(const HttpRequest& request, const Exchange& exchange, const HandlerContext& context) {
  if (!may_configure(request, exchange, context)) return;
  const std::string name = field_of(request, exchange, "name");
  if (name.empty()) return;
  const auto path = context.service->back_up(name);
  if (!path)
    return answer_error(exchange, path.error().fault == Fault::user ? kBadRequest : kServerError, path.error().message);
  answer(exchange, json::object{{"path", *path}});
}

void audit(const HttpRequest& request, Service& service, std::string_view action, std::string_view statement,
           const ServiceError* error) {
  if (!service.audits()) return;
  service.audit({.user = request.user ? request.user->name : std::string(),
                 .address = request.peer,
                 .action = std::string(action),
                 .statement = std::string(statement),
                 .message = error != nullptr ? error->message : std::string(),
                 .request_id = std::string(request.header("x-request-id").value_or("")),
                 .code = error != nullptr ? error->code : 200});
}

void SlowRequest::over() const {
  if (limit_.count() == 0) return;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
  if (took < limit_) return;
  constexpr std::size_t kShown = 1000;
  spdlog::warn("slow request: {} ms{}{}{}{}: {}", took.count(), user_.empty() ? "" : " user=", user_,
               id_.empty() ? "" : " request=", id_, without_secrets(text_).substr(0, kShown));
}

SlowRequest::SlowRequest(std::chrono::milliseconds limit, const HttpRequest& request, std::string_view text)
    : limit_(limit) {
  if (limit_.count() == 0) return;
  text_ = text;
  if (request.user) user_ = request.user->name;
  id_ = request.header("x-request-id").value_or("");
}

}  // namespace millrace::inline server
