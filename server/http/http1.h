#pragma once

#include <memory>

#include "server/http/connection.h"

namespace millrace::inline server {

/// HTTP/1.1 and 1.0 (RFC 9112).
std::unique_ptr<Protocol> make_http1(Connection& connection);

}  // namespace millrace::inline server
