#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "server/session/service.h"

namespace millrace::inline server {

struct HttpOptions {
  std::string host = "0.0.0.0";
  int port = 8088;  // 0: any free one
  int threads = 2;
  std::size_t max_body_bytes = 64 << 20;
};

/// The HTTP API (rest-api.md) on one port. Listens at once; until `serve` gives it a service it answers "not ready" to
/// all but the probes. Thread-safe.
class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(const HttpOptions& options);
  virtual ~HttpServer() = default;  // stop()s
  virtual int port() const = 0;
  /// The service must outlive the server, or be taken away by stop().
  virtual void serve(Service& service) = 0;
  /// Refuses new requests, ends push queries, waits for handlers under way.
  virtual void stop() = 0;
};

}  // namespace millrace::inline server
