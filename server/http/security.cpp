#include "server/http/security.h"

#include <algorithm>
#include <array>

#include "parser/error/letter_case.h"
#include "parser/error/trim.h"
#include "server/http/http_text.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

/// What a load balancer or a client asks before it can know a user.
constexpr std::array<std::string_view, 5> kOpenPaths = {"/v1/metadata", "/v1/metadata/id", "/healthcheck", "/chc/live",
                                                        "/chc/ready"};

/// What follows `Bearer`; empty: it is another scheme.
std::string bearer_token(std::string_view header) {
  constexpr std::string_view kBearer = "bearer ";
  if (header.size() <= kBearer.size() || lower_case(header.substr(0, kBearer.size())) != kBearer) return {};
  return std::string(trim(header.substr(kBearer.size())));
}

bool covers(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with('*')) return pattern == path;
  return path.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

std::string HttpSecurity::challenge() const {
  const std::string named = " realm=\"" + realm + "\"";
  if (!tokens) return "Basic" + named;
  return credentials ? "Basic" + named + ", Bearer" + named : "Bearer" + named;
}

Credentials::Outcome HttpSecurity::find_user(const HttpRequest& request, Principal& user) const {
  using Outcome = Credentials::Outcome;
  const auto sent = request.header("authorization");
  std::string token = sent ? bearer_token(*sent) : std::string();
  // Browsers cannot send headers with a WebSocket.
  if (!sent && request.path == "/ws/query") token = query_value(request.query, "access_token");
  if (!token.empty()) {
    auto found = tokens ? tokens->check(token, std::chrono::system_clock::now()) : std::nullopt;
    if (!found) return Outcome::unknown;
    user = std::move(*found);
    return Outcome::known;
  }
  return sent && credentials ? credentials->check(*sent, request.peer, user) : Outcome::unknown;
}

std::optional<ServiceError> HttpSecurity::admit(HttpRequest& request) const {
  if (std::find(kOpenPaths.begin(), kOpenPaths.end(), request.path) != kOpenPaths.end() ||
      std::any_of(open_paths.begin(), open_paths.end(),
                  [&](const std::string& open) { return covers(open, request.path); }))
    return std::nullopt;
  Principal user;
  switch (find_user(request, user)) {
    case Credentials::Outcome::too_many:
      return service_error(kTooManyRequests, "Too many failed attempts");
    case Credentials::Outcome::unknown:
      return service_error(kUnauthorized, "Unauthorized");
    default:
      break;
  }
  const bool welcome = roles.empty() || std::any_of(user.roles.begin(), user.roles.end(), [&](const std::string& role) {
                         return std::find(roles.begin(), roles.end(), role) != roles.end();
                       });
  if (!welcome) return service_error(kForbidden, "You are forbidden from using this cluster.");
  request.user = std::move(user);
  return std::nullopt;
}

}  // namespace millrace::inline server
