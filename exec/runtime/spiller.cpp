#include "exec/runtime/spiller.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "exec/state/spill.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kUndurableLimit = 32 << 20;  // less than a second of restoring
constexpr double kKept = 0.5;  // of the memory, where it has become too much: what leaves is read again when it is used
constexpr std::chrono::milliseconds kLookEvery{100};
// What was not written for long could lack deletes that the changelog has forgotten.
constexpr std::chrono::minutes kAllEvery{30};

}  // namespace

Status Spiller::spill_as_needed(Tasks tasks) {
  const auto now = Clock::now();
  if (now - last_look_ < kLookEvery) return {};
  last_look_ = now;
  std::size_t memory = 0, undurable = 0;
  for (const auto& task : tasks) {
    for (const auto& entry : task->stores()) {
      memory += entry.store->memory_bytes();
      undurable += entry.store->undurable_bytes();
    }
  }
  if (memory > memory_bytes_)
    return spill(tasks, kKept * static_cast<double>(memory_bytes_) / static_cast<double>(memory));
  if (undurable > kUndurableLimit || (undurable > 0 && now - last_all_ >= kAllEvery)) return spill(tasks, 1.0);
  return {};
}

Status Spiller::spill_all(Tasks tasks) {
  return spill(tasks, 1.0);
}

Status Spiller::spill(Tasks tasks, double keep) {
  last_all_ = Clock::now();
  std::vector<Store*> stores;
  for (const auto& task : tasks)
    for (auto& entry : task->stores()) stores.push_back(entry.store.get());
  // State on disk must not stand for records that the log could still lose.
  Status spilled = log_.sync();
  if (spilled) spilled = spill_stores(*db_, stores);
  if (!spilled) {
    spdlog::warn("{}: state cannot be written: {}", name_, spilled.error().message);
    return spilled;
  }
  for (const auto& task : tasks) {
    for (auto& entry : task->stores()) {
      if (durable_ && !entry.changelog.empty())
        durable_({entry.changelog, task->place().partition}, entry.store->durable_position());
      if (keep < 1.0)
        entry.store->shrink(static_cast<std::size_t>(static_cast<double>(entry.store->memory_bytes()) * keep));
    }
  }
  return {};
}

}  // namespace millrace::inline exec
