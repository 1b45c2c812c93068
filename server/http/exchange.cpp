#include "server/http/exchange.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace millrace::inline server {

const std::string& http_date() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    char buffer[64];
    std::tm parts{};
    gmtime_r(&now, &parts);
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    made = now;
  }
  return text;
}

bool keeps_header(std::string_view name) {
  constexpr std::array<std::string_view, 6> kKept = {"authorization", "accept-encoding", "content-encoding",
                                                     "origin",        "x-request-id",    "sec-fetch-site"};
  return std::find(kKept.begin(), kKept.end(), name) != kKept.end();
}

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  for (const auto& [known, value] : headers)
    if (known == name) return value;
  return std::nullopt;
}

bool HttpRequest::set_target(std::string_view target) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(std::min(target.find_first_of("/?", scheme.size()), target.size()));
    break;
  }
  if (const std::size_t fragment = target.find('#'); fragment != std::string_view::npos)
    target = target.substr(0, fragment);
  const std::size_t question = std::min(target.find('?'), target.size());
  path = target.substr(0, question);
  query = target.substr(std::min(question + 1, target.size()));
  if (path.empty()) path = "/";
  return path.front() == '/' || path == "*";
}

}  // namespace millrace::inline server
