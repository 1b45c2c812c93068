#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/http/access.h"
#include "server/http/credentials.h"
#include "server/http/tokens.h"

namespace millrace::inline server {

/// Who may use a server, and for what. Immutable, thread-safe.
struct HttpSecurity {
  std::unique_ptr<Credentials> credentials;  // null: no Basic authentication
  std::unique_ptr<BearerTokens> tokens;      // null: no bearer tokens
  std::unique_ptr<Access> access;            // null: whoever is known may do everything
  std::string realm = "millrace";
  std::vector<std::string> roles;       // that may use the server at all; empty: every one
  std::vector<std::string> open_paths;  // for everybody; a `*` at the end stands for any rest

  /// Finds out who made the request. An answer: the request is refused with it.
  std::optional<ServiceError> admit(HttpRequest& request) const;
  std::string challenge() const;

 private:
  Credentials::Outcome find_user(const HttpRequest& request, Principal& user) const;
};

}  // namespace millrace::inline server
