#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "parser/error/mutex.h"
#include "server/http/exchange.h"

namespace millrace::inline server {

/// `$scrypt$N$SALT$HASH` of a password, for a password file.
std::string hash_password(std::string_view password);
bool matches_password(std::string_view password, std::string_view hash);

/// The users of a password file: `name: hash, role, role` a line; `#` begins a comment. Thread-safe.
class Credentials {
 public:
  static Result<std::unique_ptr<Credentials>> read(const std::string& path);

  enum class Outcome { known, unknown, too_many };
  /// `header`: value of an Authorization header. `too_many`: this peer has failed too often and has to wait; nothing
  /// was checked.
  Outcome check(std::string_view header, const std::string& peer, Principal& out);

 private:
  using Clock = std::chrono::steady_clock;
  struct User {
    std::string hash;
    std::vector<std::string> roles;
  };
  struct Failures {
    double count = 0;
    Clock::time_point since;
  };
  bool may_try(const std::string& peer) REQUIRES(mutex_);

  std::map<std::string, User, std::less<>> users_;
  std::string secret_;  // of this process, so that what is remembered means nothing elsewhere

  Mutex mutex_;                                                          // guards what follows
  std::unordered_map<std::string, Principal> known_ GUARDED_BY(mutex_);  // by a digest of what was sent
  std::unordered_map<std::string, Failures> failures_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline server
