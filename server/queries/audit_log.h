#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "exec/log/log.h"
#include "server/queries/audit_entry.h"

namespace millrace::inline server {

/// Writes who did what to a topic, in order, from a thread of its own. `write` waits only when very much is waiting
/// already: nothing is left out. An entry that the log does not take stays in the server's own log.
class AuditLog {
 public:
  static std::unique_ptr<AuditLog> open(Log& log, std::string topic);
  virtual ~AuditLog() = default;  // writes what waits
  virtual void write(const AuditEntry& entry) = 0;

  static constexpr std::string_view kStream = "MILLRACE_AUDIT";
  static std::string create_statement(const std::string& topic);
};

/// The text without the values of properties that look like secrets.
std::string without_secrets(std::string_view sql);

}  // namespace millrace::inline server
