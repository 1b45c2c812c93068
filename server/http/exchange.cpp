#include "server/http/exchange.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <ctime>

#include "parser/error/letter_case.h"
#include "server/http/http_text.h"

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

namespace {

bool is_unreserved(unsigned char c) {
  return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~';
}

/// RFC 3986, 6.2.2.2: escapes of characters that need none are the characters. All others stay.
void plain_characters(std::string& path) {
  std::size_t out = 0;
  for (std::size_t in = 0; in < path.size(); ++in, ++out) {
    path[out] = path[in];
    unsigned code = 0;
    if (path[in] != '%' || path.size() - in < 3) continue;
    const char* const digits = path.data() + in + 1;
    if (std::from_chars(digits, digits + 2, code, 16).ptr != digits + 2 || !is_unreserved(code & 0xFF)) continue;
    path[out] = static_cast<char>(code);
    in += 2;
  }
  path.resize(out);
}

}  // namespace

bool HttpRequest::set_target(std::string_view target) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (target.starts_with('/') || lower_case(target.substr(0, scheme.size())) != scheme) continue;
    target.remove_prefix(std::min(target.find_first_of("/?", scheme.size()), target.size()));
    break;
  }
  if (const std::size_t fragment = target.find('#'); fragment != std::string_view::npos)
    target = target.substr(0, fragment);
  const std::size_t question = std::min(target.find('?'), target.size());
  path = target.substr(0, question);
  query = target.substr(std::min(question + 1, target.size()));
  if (path.find('%') != std::string::npos) plain_characters(path);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty()) path = "/";
  return path.front() == '/' || path == "*";
}

}  // namespace millrace::inline server
