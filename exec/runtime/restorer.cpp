#include "exec/runtime/restorer.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::size_t kRecordsPerPoll = 8192;

}  // namespace

Result<bool> Restorer::start(Task& task) {
  bool ready = true;
  for (std::size_t i = 0; i < task.stores().size(); ++i) {
    if (task.stores()[i].changelog.empty()) continue;
    auto done = start(task, i);
    if (!done) return done.error();
    ready = ready && *done;
  }
  return ready;
}

Result<bool> Restorer::start(Task& task, std::size_t store) {
  Task::StoreEntry& entry = task.stores()[store];
  const TopicPartition partition{entry.changelog, task.place().partition};
  auto bounds = log_.bounds(partition, false);
  if (!bounds) return bounds.error();
  const std::int64_t durable = entry.store->durable_position();
  if (durable > bounds->end)
    return external_error("the state of {} is ahead of its changelog {}", task.run().plan->query_id, entry.changelog);
  const std::int64_t from = std::max(durable, bounds->begin);
  entry.changelog_end = bounds->end;
  if (from >= bounds->end) {
    entry.store->restored(bounds->end);
    return true;
  }
  if (!reader_) {
    auto reader = log_.reader(client_id_ + "-restore");
    if (!reader) return reader.error();
    reader_ = std::move(*reader);
  }
  auto source = reader_->add(partition, from);
  if (!source) return source.error();
  tails_[*source] = {&task, store, bounds->end};
  return false;
}

void Restorer::forget(Task& task) {
  for (auto it = tails_.begin(); it != tails_.end();) {
    if (it->second.task == &task) {
      reader_->remove(it->first);
      it = tails_.erase(it);
    } else {
      ++it;
    }
  }
  if (tails_.empty()) reader_.reset();
}

bool Restorer::has_tails(const Task& task) const {
  return std::any_of(tails_.begin(), tails_.end(), [&](const auto& entry) { return entry.second.task == &task; });
}

std::optional<Restorer::Failure> Restorer::poll(std::chrono::milliseconds wait, std::vector<Task*>& ready) {
  if (tails_.empty()) return std::nullopt;
  auto fetch = reader_->poll(kRecordsPerPoll, wait);
  if (!fetch) return Failure{tails_.begin()->second.task, fetch.error()};
  if (!*fetch) return std::nullopt;
  const auto found = tails_.find((*fetch)->source);
  if (found == tails_.end()) return std::nullopt;
  const Tail tail = found->second;
  Store& store = *tail.task->stores()[tail.store].store;
  if (auto done = store.restore((*fetch)->records); !done) return Failure{tail.task, done.error()};
  if ((*fetch)->next_offset < tail.end) return std::nullopt;
  store.restored(tail.end);
  reader_->remove(found->first);
  tails_.erase(found);
  if (!has_tails(*tail.task)) ready.push_back(tail.task);
  if (tails_.empty()) reader_.reset();
  return std::nullopt;
}

}  // namespace millrace
