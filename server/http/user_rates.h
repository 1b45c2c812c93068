#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "parser/error/mutex.h"

namespace millrace::inline server {

/// How much each user may ask for; where users are not known, each address. Thread-safe.
class UserRates : public std::enable_shared_from_this<UserRates> {
 public:
  using Clock = std::chrono::steady_clock;
  /// 0: as much as they like.
  struct Limits {
    std::int64_t requests_per_second = 0;  // statements and queries; as many at once
    std::int64_t push_queries = 0;         // at a time
  };
  explicit UserRates(Limits limits) : limits_(limits) {}

  bool limits_requests() const { return limits_.requests_per_second > 0; }
  /// False: too many in this second.
  bool take_request(const std::string& who, Clock::time_point now);
  /// Counts as one push query until the last copy has gone; null: there are too many already.
  std::shared_ptr<const void> begin_push(const std::string& who);

 private:
  struct User {
    double requests = 0;  // of the last second
    Clock::time_point since;
    std::int64_t pushes = 0;
  };
  void forget_idle(Clock::time_point now) REQUIRES(mutex_);

  const Limits limits_;
  Mutex mutex_;
  std::unordered_map<std::string, User> users_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline server
