#include "exec/runtime/inbox.h"

#include <thread>

#include "parser/error/mutex.h"

namespace millrace::inline exec {

bool Inbox::post(std::function<void()> call) {
  const MutexLock lock(mutex_);
  if (open_) calls_.push_back(std::move(call));
  return open_;
}

void Inbox::open() {
  const MutexLock lock(mutex_);
  open_ = true;
}

void Inbox::close() {
  {
    const MutexLock lock(mutex_);
    open_ = false;
  }
  const MutexLock gate(gate_);
  run_calls();
}

void Inbox::run_calls() {
  std::vector<std::function<void()>> calls;
  {
    const MutexLock lock(mutex_);
    calls.swap(calls_);
  }
  for (auto& call : calls) call();
}

bool Inbox::visit(const QueryRun& run, std::size_t subtopology, int partition, const std::function<void(Task&)>& with) {
  Task* task = nullptr;
  {
    ++at_the_gate_;
    const MutexLock lock(gate_);
    --at_the_gate_;
    task = find_(run, subtopology, partition);
    if (task != nullptr) with(*task);
  }
  serve();
  return task != nullptr;
}

// Locked here and given back in leave().
void Inbox::enter() {
  ++at_the_gate_;
  gate_.lock();
  --at_the_gate_;
}

void Inbox::leave() {
  gate_.unlock();
  serve();
}

bool Inbox::visit_entered(const QueryRun& run, std::size_t subtopology, int partition,
                          const std::function<void(Task&)>& with) const {
  Task* task = find_(run, subtopology, partition);
  if (task != nullptr) with(*task);
  return task != nullptr;
}

void Inbox::visit_soon(Visit visit) {
  if (gate_.try_lock()) {
    visit.with(find(visit));
    gate_.unlock();
  } else {
    const MutexLock lock(mutex_);
    visits_.push_back(std::move(visit));
    visits_wait_ = true;
  }
  serve();
}

// Whoever gives the gate back looks for visits that came meanwhile; whoever leaves one behind tries the gate
// afterwards. So none is forgotten while the worker sleeps.
void Inbox::serve() {
  while (visits_wait_ && gate_.try_lock()) {
    answer();
    gate_.unlock();
  }
}

void Inbox::answer() {
  if (!visits_wait_) return;
  std::vector<Visit> visits;
  {
    const MutexLock lock(mutex_);
    visits.swap(visits_);
    visits_wait_ = false;
  }
  for (Visit& visit : visits) visit.with(find(visit));
}

void Inbox::let_in() const {
  for (int spins = 0; at_the_gate_.load() > 0 && spins < 1000; ++spins) std::this_thread::yield();
}

}  // namespace millrace::inline exec
