#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::inline server {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Who made a request.
struct Principal {
  std::string name;
  std::vector<std::string> roles;
};

struct HttpRequest {
  std::string method;
  std::string path;   // without the query part
  std::string query;  // after '?'
  std::optional<std::string> accept;
  HttpHeaders headers;  // those of keeps_header(), names in lower case
  std::string body;
  std::string peer;               // its address
  std::optional<Principal> user;  // set by RequestHandler::begin when users have to say who they are
  bool http2 = false;
  bool websocket = false;  // chunks of the answer are its frames

  std::optional<std::string_view> header(std::string_view name) const;
  /// Takes path and query from a request target in origin or absolute form, or `*`; slashes at the end of the path do
  /// not count. False for any other.
  bool set_target(std::string_view target);
};

/// The time as the Date header has it (RFC 9110, 6.6.1); made once a second and thread.
const std::string& http_date();

/// Whether handlers look at this header (name in lower case); all others are passed over.
bool keeps_header(std::string_view name);

/// The answering side of one request, whatever the HTTP version. Thread-safe; calls after the peer has gone do nothing.
class Responder {
 public:
  using Headers = HttpHeaders;
  virtual ~Responder() = default;
  /// Goes with the head of the answer that follows.
  virtual void add_header(std::string name, std::string value) = 0;
  /// A whole answer.
  virtual void respond(int status, std::string_view content_type, std::string_view body,
                       const Headers& headers = {}) = 0;
  /// A stream: `start`, any number of `write`s, `finish`.
  virtual void start(std::string_view content_type) = 0;
  /// One chunk or DATA frame of its own. Always taken; false when so much waits for the peer that the caller should
  /// pause until `on_drain`.
  virtual bool write(std::string chunk) = 0;
  virtual void finish() = 0;
  /// As `finish`, but the peer sees that more was to come.
  virtual void break_off() = 0;
  /// Gives the answer up: the peer sees that it is not complete.
  virtual void abort() = 0;
  /// `drained` runs when the peer has caught up after a write that returned false; `closed` once when it has gone
  /// before `finish`. Set before `start`.
  virtual void watch(std::function<void()> drained, std::function<void()> closed) = 0;
  /// Runs `work` soon on the thread of the connection, which it must not hold up.
  virtual void post(std::function<void()> work) = 0;
  /// So many bytes of a body that a BodyReceiver takes are worked off: the peer may send as many more.
  virtual void consumed(std::size_t bytes) = 0;
};

/// Takes the body of one request as it comes, on the thread of the connection, which it must not hold up.
class BodyReceiver {
 public:
  virtual ~BodyReceiver() = default;
  virtual void data(std::string_view piece) = 0;
  /// The body is complete; or `aborted`: the rest will not come.
  virtual void end(bool aborted) = 0;
};

/// What a server does with requests. Calls come on threads of connections, which they must not hold up.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// The head of a request has come. A receiver: its body goes there, piece by piece, and `handle` is not called.
  /// Null: `handle` follows with the body, unless the request is already answered.
  virtual std::shared_ptr<BodyReceiver> begin(HttpRequest& request, const std::shared_ptr<Responder>& responder) = 0;
  virtual void handle(HttpRequest&& request, std::shared_ptr<Responder> responder) = 0;
};

}  // namespace millrace::inline server
