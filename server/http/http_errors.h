#pragma once

#include <string>

#include "server/session/service.h"

namespace millrace::inline server {

/// An error that is HTTP's own, of no statement.
inline ServiceError http_error(int code, std::string message) {
  return {.code = code, .message = std::move(message), .statement = {}, .span = {}, .hint = {}, .entities = {}};
}

}  // namespace millrace::inline server
