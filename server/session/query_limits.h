#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "parser/error/mutex.h"
#include "server/config/config.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// What a server takes and gives, all clients together. Thread-safe.
class QueryLimits : public std::enable_shared_from_this<QueryLimits> {
 public:
  using Clock = std::chrono::steady_clock;
  struct Most {
    std::int64_t pulls_per_second, pulls_at_once;
    std::int64_t pull_megabytes, push_megabytes;  // in an hour
    std::int64_t commands_per_second;             // statements that go to the command log
  };
  static Most most_of(const Config& config);
  explicit QueryLimits(Most most);

  /// Counts a pull query, which goes on until the sink lets go of its permit. An error: it has to wait.
  std::optional<ServiceError> admit_pull(ResultSink& sink, Clock::time_point now = Clock::now());
  /// The same for a push query that shares its work with others.
  std::optional<ServiceError> admit_push(ResultSink& sink, Clock::time_point now = Clock::now());
  std::optional<ServiceError> admit_command(Clock::time_point now = Clock::now());

 private:
  friend class LimitedQuery;
  /// So many in a second, and as many at once.
  struct Rate {
    double tokens;
    Clock::time_point since;
    void pass(std::int64_t most, Clock::time_point now);
  };
  /// Bytes of the last hour, in parts of a minute.
  struct Hour {
    static constexpr std::size_t kParts = 60;
    std::array<std::int64_t, kParts> parts{};
    std::int64_t newest = 0, sum = 0;

    void pass(Clock::time_point now);
    void add(std::int64_t bytes, Clock::time_point now);
  };

  const Most most_;
  const bool any_pull_, any_push_;
  Mutex mutex_;
  Rate pull_rate_ GUARDED_BY(mutex_), command_rate_ GUARDED_BY(mutex_);
  std::int64_t pulls_ GUARDED_BY(mutex_) = 0;
  Hour pull_bytes_ GUARDED_BY(mutex_), push_bytes_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline server
