#pragma once

#include <string>

namespace millrace::inline server {

/// What somebody did or was refused (operations.md, Audit).
struct AuditEntry {
  std::string user, address, action, statement, message, request_id;
  int code = 200;
};

}  // namespace millrace::inline server
