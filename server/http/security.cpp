#include "server/http/security.h"

#include <algorithm>
#include <array>

#include "server/http/http_errors.h"

namespace millrace::inline server {
namespace {

/// What a load balancer or a client asks before it can know a user.
constexpr std::array<std::string_view, 5> kOpenPaths = {"/v1/metadata", "/v1/metadata/id", "/healthcheck", "/chc/live",
                                                        "/chc/ready"};

bool covers(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with('*')) return pattern == path;
  return path.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

std::optional<ServiceError> HttpSecurity::admit(HttpRequest& request) const {
  if (std::find(kOpenPaths.begin(), kOpenPaths.end(), request.path) != kOpenPaths.end() ||
      std::any_of(open_paths.begin(), open_paths.end(),
                  [&](const std::string& open) { return covers(open, request.path); }))
    return std::nullopt;
  Principal user;
  const auto sent = request.header("authorization");
  switch (sent ? credentials->check(*sent, request.peer, user) : Credentials::Outcome::unknown) {
    case Credentials::Outcome::too_many:
      return http_error(42900, "Too many failed attempts");
    case Credentials::Outcome::unknown:
      return http_error(40100, "Unauthorized");
    default:
      break;
  }
  const bool welcome = roles.empty() || std::any_of(user.roles.begin(), user.roles.end(), [&](const std::string& role) {
                         return std::find(roles.begin(), roles.end(), role) != roles.end();
                       });
  if (!welcome) return http_error(40300, "You are forbidden from using this cluster.");
  request.user = std::move(user);
  return std::nullopt;
}

}  // namespace millrace::inline server
