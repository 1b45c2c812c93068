#include "server/session/row_turns.h"

namespace millrace::inline server {

RowTurns::Turn RowTurns::insert(const std::string& topic) {
  MutexLock lock(mutex_);
  left_.wait(lock, [&]() REQUIRES(mutex_) {
    const Writers& writers = writers_[topic];
    return !writers.changing && writers.waiting == 0;
  });
  ++writers_[topic].inserting;
  return {*this, topic, false};
}

RowTurns::Turn RowTurns::change(const std::string& topic) {
  MutexLock lock(mutex_);
  ++writers_[topic].waiting;
  left_.wait(lock, [&]() REQUIRES(mutex_) {
    const Writers& writers = writers_[topic];
    return !writers.changing && writers.inserting == 0;
  });
  Writers& writers = writers_[topic];
  --writers.waiting;
  writers.changing = true;
  return {*this, topic, true};
}

void RowTurns::leave(const std::string& topic, bool changes) {
  const MutexLock lock(mutex_);
  const auto found = writers_.find(topic);
  if (found == writers_.end()) return;
  Writers& writers = found->second;
  if (changes)
    writers.changing = false;
  else
    --writers.inserting;
  if (!writers.changing && writers.inserting == 0 && writers.waiting == 0) writers_.erase(found);
  left_.notify_all();
}

}  // namespace millrace::inline server
