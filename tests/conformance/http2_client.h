#pragma once

#include <memory>

#include "server/http/client.h"

namespace millrace::conformance {

/// A blocking HTTP/2 client (prior knowledge, one stream at a time) of a server on this machine.
std::unique_ptr<HttpClient> make_http2_client(int port);

}  // namespace millrace::conformance
