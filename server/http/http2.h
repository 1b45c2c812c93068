#pragma once

#include <memory>
#include <string>

#include "server/http/connection.h"

namespace millrace::inline server {

/// HTTP/2 (RFC 9113) from the preface on.
std::unique_ptr<Protocol> make_http2(Connection& connection);
/// HTTP/2 after a request of HTTP/1.1 that asked for it: `settings` from its HTTP2-Settings header. The request is
/// answered as stream 1. Null, and the request untouched: the settings are wrong.
std::unique_ptr<Protocol> make_http2_upgraded(Connection& connection, const std::string& settings,
                                              HttpRequest& request);

}  // namespace millrace::inline server
