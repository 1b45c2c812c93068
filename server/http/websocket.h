#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/http/connection.h"

namespace millrace::inline server {

/// What an upgrade to a WebSocket is answered with (RFC 6455, 4.2.2); empty: `key` is none.
std::string websocket_greeting(std::string_view key);

/// A WebSocket after its greeting. `answer` is what the request is answered with: each chunk goes out as a text frame,
/// its end closes with 1000; a whole answer is an error, sent as `{"error":…}`.
std::unique_ptr<Protocol> make_websocket(Connection& connection, std::shared_ptr<Answer> answer);

}  // namespace millrace::inline server
