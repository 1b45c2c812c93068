#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"

namespace millrace::inline server {

struct HttpResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// How to speak TLS with a server; files are PEM. Empty: the system's certificates, and none of one's own.
struct ClientTls {
  std::string trusted, certificate, key;
};

/// A blocking HTTP/1.1 client for the shell, the loader and tests: one connection, kept alive. One thread at a time,
/// but for cancel().
class HttpClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  /// `url`: http://host:port or https://host:port. A user error when it is not one.
  static Result<std::unique_ptr<HttpClient>> create(const std::string& url, Headers headers = {},
                                                    const ClientTls& tls = {});
  virtual ~HttpClient() = default;

  Result<HttpResponse> request(std::string_view method, std::string_view path, std::string_view body = {},
                               const Headers& headers = {}) {
    return exchange(method, path, body, headers, nullptr);
  }
  /// As `request`, but hands a 200 body over piece by piece as it comes; `piece` returning false, or cancel() from
  /// another thread or a signal handler's flag, ends it by closing the connection. Answers of another status come back
  /// whole.
  using Piece = std::function<bool(std::string_view piece)>;
  Result<HttpResponse> stream(std::string_view method, std::string_view path, std::string_view body,
                              const Headers& headers, const Piece& piece) {
    return exchange(method, path, body, headers, &piece);
  }
  /// Ends a stream under way within a moment. Async-signal-safe.
  virtual void cancel() = 0;
  virtual const std::string& url() const = 0;

 private:
  /// `piece` null: the body comes whole.
  virtual Result<HttpResponse> exchange(std::string_view method, std::string_view path, std::string_view body,
                                        const Headers& headers, const Piece* piece) = 0;
};

}  // namespace millrace::inline server
