#include "server/statements/insert_writers.h"

#include <fmt/format.h>

#include "parser/error/mutex.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kKept = 8;
// Brokers forget transactional ids that were not used for days.
constexpr std::chrono::minutes kKeptFor{10};

}  // namespace

Result<std::unique_ptr<Writer>> InsertWriters::take() {
  std::vector<Idle> old;  // ended without the lock
  {
    const MutexLock lock(mutex_);
    const auto now = Clock::now();
    while (!idle_.empty() && now - idle_.front().since > kKeptFor) {
      old.push_back(std::move(idle_.front()));
      idle_.erase(idle_.begin());
    }
    if (!idle_.empty()) {
      auto writer = std::move(idle_.back().writer);
      idle_.pop_back();
      return writer;
    }
  }
  return log_.writer(fmt::format("{}-insert-{}", prefix_, ++serial_), nullptr);
}

void InsertWriters::give(std::unique_ptr<Writer> writer) {
  writer->forget_topics(Clock::now() - kKeptFor);
  const MutexLock lock(mutex_);
  if (idle_.size() < kKept) idle_.push_back({std::move(writer), Clock::now()});
}

}  // namespace millrace::inline server
