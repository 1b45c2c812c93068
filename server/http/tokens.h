#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "server/http/exchange.h"

namespace millrace::inline server {

/// Bearer tokens: JSON Web Tokens that a key of a local key set (JWKS) has signed with RS, PS, ES or EdDSA. Immutable,
/// thread-safe.
class BearerTokens {
 public:
  struct Options {
    std::string key_file;
    std::string issuer, audience;       // of tokens that are taken; empty: any
    std::string roles_claim = "roles";  // a list, or words; dots lead into objects
  };
  static Result<std::unique_ptr<BearerTokens>> read(Options options);
  ~BearerTokens();

  /// Whom the token stands for; nothing: it is not valid at `now`.
  std::optional<Principal> check(std::string_view token, std::chrono::system_clock::time_point now) const;

 private:
  struct Key;
  explicit BearerTokens(Options options);
  bool is_signed(std::string_view algorithm, std::string_view key_id, std::string_view text,
                 const std::string& signature) const;

  const Options options_;
  std::vector<Key> keys_;
};

}  // namespace millrace::inline server
