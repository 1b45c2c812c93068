#include "exec/log/local/membership.h"

#include "exec/log/local/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

LocalMembership::LocalMembership(LocalLog& log, std::string group, int slots, std::string advertised)
    : log_(log), group_(std::move(group)), slots_(slots), advertised_(std::move(advertised)) {}

LocalMembership::~LocalMembership() {
  leave();
}

Status LocalMembership::join(const std::string&, Events events) {
  const MutexLock lock(mutex_);
  events_ = std::move(events);
  stage_ = Stage::joined;
  return {};
}

Status LocalMembership::poll(std::chrono::milliseconds wait) {
  std::function<void(const std::vector<SlotId>&)> granted;
  {
    MutexLock lock(mutex_);
    if (stage_ != Stage::joined) {
      const Stage before = stage_;
      left_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return stage_ != before; });
      return {};
    }
    stage_ = Stage::granted;
    granted = events_.granted;
  }
  {
    const MutexLock lock(log_.mutex());
    log_.group_owners()[group_] = advertised_;
  }
  if (granted) granted(all_slots(slots_));
  return {};
}

Result<std::vector<std::string>> LocalMembership::owners() {
  const MutexLock lock(log_.mutex());
  const auto found = log_.group_owners().find(group_);
  const std::string owner = found == log_.group_owners().end() ? "" : found->second;
  return std::vector<std::string>(static_cast<std::size_t>(slots_), owner);
}

void LocalMembership::leave() {
  {
    const MutexLock lock(mutex_);
    if (stage_ == Stage::out) return;
    stage_ = Stage::out;
  }
  left_.notify_all();
  const MutexLock lock(log_.mutex());
  const auto found = log_.group_owners().find(group_);
  if (found != log_.group_owners().end() && found->second == advertised_) log_.group_owners().erase(found);
}

}  // namespace millrace::inline exec
