#include "server/http/user_rates.h"

#include <algorithm>

namespace millrace::inline server {
namespace {

constexpr std::size_t kManyUsers = 10'000;

}  // namespace

bool UserRates::take_request(const std::string& who, Clock::time_point now) {
  if (!limits_requests()) return true;
  const MutexLock lock(mutex_);
  forget_idle(now);
  User& user = users_[who];
  const auto most = static_cast<double>(limits_.requests_per_second);
  const double passed = std::chrono::duration<double>(now - user.since).count();
  user.requests = std::max(0.0, user.requests - passed * most);
  user.since = now;
  if (user.requests + 1 > most) return false;
  user.requests += 1;
  return true;
}

std::shared_ptr<const void> UserRates::begin_push(const std::string& who) {
  if (limits_.push_queries > 0) {
    const MutexLock lock(mutex_);
    User& user = users_[who];
    if (user.pushes >= limits_.push_queries) return nullptr;
    ++user.pushes;
  }
  return {static_cast<const void*>(this), [self = shared_from_this(), who](const void*) {
            if (self->limits_.push_queries == 0) return;
            const MutexLock lock(self->mutex_);
            --self->users_[who].pushes;
          }};
}

void UserRates::forget_idle(Clock::time_point now) {
  if (users_.size() < kManyUsers) return;
  std::erase_if(users_, [&](const auto& user) {
    return user.second.pushes == 0 && now - user.second.since > std::chrono::seconds(1);
  });
}

}  // namespace millrace::inline server
