#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/answer_terms.h"
#include "server/http/limits.h"
#include "server/http/peer_answers.h"
#include "server/http/security.h"
#include "server/http/tls.h"
#include "server/session/service.h"

namespace millrace::inline server {

struct HttpListener {
  std::string host = "0.0.0.0";
  int port = 8088;  // 0: any free one
  bool tls = false;
};

/// Pages of other origins that may use the server from a browser. Empty origins: none.
struct HttpCors {
  std::vector<std::string> origins;  // `*`: every one
  std::string methods = "GET,POST,HEAD", headers = "Authorization,Content-Type,Accept,X-Request-ID";

  bool allows(std::string_view origin) const;
};

struct HttpOptions {
  std::vector<HttpListener> listeners = {{}};
  int threads = 2;
  HttpLimits limits;
  TlsOptions tls;
  std::shared_ptr<const HttpSecurity> security;  // null: everybody may do everything
  HttpCors cors = {};
  PeerTerms peers = {};
  AnswerTerms terms = {};
};

/// The HTTP API (http-api.md), HTTP/1.1 and HTTP/2 on the same ports. Listens at once; until `serve` gives it a service
/// it answers "not ready" to all but the probes. Thread-safe.
class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(const HttpOptions& options);
  virtual ~HttpServer() = default;  // stop()s
  virtual int port() const = 0;     // of the first listener
  /// The service must outlive the server, or be taken away by stop().
  virtual void serve(Service& service) = 0;
  /// Reads keys and certificates again, for connections to come. After an error the old ones stay.
  virtual Status reload_tls() = 0;
  /// Who may do what from the next request on; a server that began without users stays so. What runs already goes on.
  virtual void secure(std::shared_ptr<const HttpSecurity> security) = 0;
  /// Refuses new requests, ends push queries, answers what is under way (for `drain_time` at most), and waits until
  /// nothing uses the service any more.
  virtual void stop() = 0;
};

}  // namespace millrace::inline server
