#include "server/session/query_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

constexpr std::int64_t kAny = 2147483647;  // the default of the settings
constexpr std::int64_t kMegabyte = 1 << 20;

}  // namespace

/// What one query has of the limits.
class LimitedQuery final : public QueryPermit {
 public:
  LimitedQuery(std::shared_ptr<QueryLimits> limits, bool push) : limits_(std::move(limits)), push_(push) {}
  ~LimitedQuery() override {
    if (push_) return;
    const MutexLock lock(limits_->mutex_);
    --limits_->pulls_;
  }
  void sent(std::size_t bytes) override {
    const MutexLock lock(limits_->mutex_);
    (push_ ? limits_->push_bytes_ : limits_->pull_bytes_)
        .add(static_cast<std::int64_t>(bytes), QueryLimits::Clock::now());
  }

 private:
  const std::shared_ptr<QueryLimits> limits_;
  const bool push_;
};

QueryLimits::Most QueryLimits::most_of(const Config& config) {
  return {.pulls_per_second = config.integer("ksql.query.pull.max.qps"),
          .pulls_at_once = config.integer("ksql.query.pull.max.concurrent.requests"),
          .pull_megabytes = config.integer("ksql.query.pull.max.hourly.bandwidth.megabytes"),
          .push_megabytes = config.integer("ksql.query.push.v2.max.hourly.bandwidth.megabytes"),
          .commands_per_second = config.integer("ksql.server.command.topic.rate.limit")};
}

QueryLimits::QueryLimits(Most most)
    : most_(most),
      any_pull_(most.pulls_per_second < kAny || most.pulls_at_once < kAny || most.pull_megabytes < kAny),
      any_push_(most.push_megabytes < kAny),
      pull_rate_{static_cast<double>(most.pulls_per_second), Clock::now()},
      command_rate_{static_cast<double>(most.commands_per_second), Clock::now()} {}

void QueryLimits::Rate::pass(std::int64_t most, Clock::time_point now) {
  const auto rate = static_cast<double>(most);
  tokens = std::min(rate, tokens + rate * std::chrono::duration<double>(now - since).count());
  since = now;
}

void QueryLimits::Hour::pass(Clock::time_point now) {
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(now.time_since_epoch()).count();
  for (std::size_t gone = 0; newest < minute && gone < kParts; ++gone)
    sum -= std::exchange(parts[static_cast<std::size_t>(++newest) % kParts], 0);
  newest = std::max<std::int64_t>(newest, minute);
}

void QueryLimits::Hour::add(std::int64_t bytes, Clock::time_point now) {
  pass(now);
  parts[static_cast<std::size_t>(newest) % kParts] += bytes;
  sum += bytes;
}

std::optional<ServiceError> QueryLimits::admit_pull(ResultSink& sink, Clock::time_point now) {
  if (!any_pull_) return std::nullopt;
  {
    const MutexLock lock(mutex_);
    pull_rate_.pass(most_.pulls_per_second, now);
    pull_bytes_.pass(now);
    if (pull_rate_.tokens < 1)
      return service_error(
          kTooManyRequests,
          fmt::format("Host is at rate limit for pull queries. Currently set to {} qps.", most_.pulls_per_second));
    if (pulls_ >= most_.pulls_at_once)
      return service_error(kTooManyRequests, fmt::format("Host is at concurrency limit for pull queries. Currently set "
                                                         "to {} maximum concurrent operations.",
                                                         most_.pulls_at_once));
    if (pull_bytes_.sum > most_.pull_megabytes * kMegabyte)
      return service_error(kTooManyRequests, "Host is at bandwidth rate limit for pull queries.");
    pull_rate_.tokens -= 1;
    ++pulls_;
  }
  sink.keep(std::make_shared<LimitedQuery>(shared_from_this(), false));
  return std::nullopt;
}

std::optional<ServiceError> QueryLimits::admit_push(ResultSink& sink, Clock::time_point now) {
  if (!any_push_) return std::nullopt;
  {
    const MutexLock lock(mutex_);
    push_bytes_.pass(now);
    if (push_bytes_.sum > most_.push_megabytes * kMegabyte)
      return service_error(kTooManyRequests, "Host is at bandwidth rate limit for push queries.");
  }
  sink.keep(std::make_shared<LimitedQuery>(shared_from_this(), true));
  return std::nullopt;
}

std::optional<ServiceError> QueryLimits::admit_command(Clock::time_point now) {
  if (most_.commands_per_second >= kAny) return std::nullopt;
  const MutexLock lock(mutex_);
  command_rate_.pass(most_.commands_per_second, now);
  if (command_rate_.tokens < 1)
    return service_error(kTooManyRequests,
                         fmt::format("DDL/DML rate is crossing the configured rate limit of statements/second: {}.",
                                     most_.commands_per_second));
  command_rate_.tokens -= 1;
  return std::nullopt;
}

}  // namespace millrace::inline server
