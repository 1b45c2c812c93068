#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "server/http/credentials.h"
#include "server/session/service.h"
#include "server/statements/privileges.h"

namespace millrace::inline server {

/// What each role may do, from a file of lines `GRANT privilege, ... [ON pattern, ...] TO role, ...;`. Names of sources
/// and topics are compared without regard to case; `*` in a pattern stands for any characters. What is not granted is
/// denied. Immutable, thread-safe.
class Access {
 public:
  static Result<std::unique_ptr<Access>> read(const std::string& path);

  /// Whether nothing is denied to this user, so that nothing need be looked at.
  bool is_unlimited(const Principal& user) const;
  bool allows(const Principal& user, Privilege privilege, std::string_view name = {}) const;
  /// Some privilege on a source or topic of that name.
  bool sees(const Principal& user, std::string_view name) const;
  /// The first denial among the statements of a request, as the API answers it. Texts that cannot be parsed are
  /// nobody's secret: they pass, and fail later.
  std::optional<ServiceError> check(const Principal& user, const Request& request, const Catalog& catalog) const;
  std::optional<ServiceError> check_insert(const Principal& user, const std::string& target,
                                           const Catalog& catalog) const;
  /// What the statements of a text deal with; nothing: it cannot be read.
  static std::optional<std::vector<std::string>> names_in(std::string_view text, const Catalog& catalog);

 private:
  struct Grant {
    std::string role;
    std::optional<Privilege> privilege;  // absent: every one
    std::string pattern;                 // upper case
  };
  Status add_line(std::string_view line);

  std::vector<Grant> grants_;
};

}  // namespace millrace::inline server
