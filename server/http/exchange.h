#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::inline server {

struct HttpRequest {
  std::string method;
  std::string path;   // without the query part
  std::string query;  // after '?'
  std::optional<std::string> accept;
  std::string body;
  bool http2 = false;
};

/// The answering side of one request, whatever the HTTP version. Thread-safe; calls after the peer has gone do nothing.
class Responder {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  virtual ~Responder() = default;
  /// A whole answer.
  virtual void respond(int status, std::string_view content_type, std::string_view body,
                       const Headers& headers = {}) = 0;
  /// A stream: `start`, any number of `write`s, `finish`.
  virtual void start(std::string_view content_type) = 0;
  /// One chunk or DATA frame of its own. Always taken; false when so much waits for the peer that the caller should
  /// pause until `on_drain`.
  virtual bool write(std::string chunk) = 0;
  virtual void finish() = 0;
  /// `drained` runs when the peer has caught up after a write that returned false; `closed` once when it has gone
  /// before `finish`. Set before `start`.
  virtual void watch(std::function<void()> drained, std::function<void()> closed) = 0;
  /// Runs `work` soon on the thread of the connection, which it must not hold up.
  virtual void post(std::function<void()> work) = 0;
};

}  // namespace millrace::inline server
