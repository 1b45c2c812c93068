#include "exec/runtime/slot_owners.h"

#include <spdlog/spdlog.h>

#include <future>
#include <memory>
#include <set>

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{100};

}  // namespace

std::string SlotOwners::of(SlotId slot) const {
  const MutexLock lock(mutex_);
  return index_of(slot) < owners_.size() ? owners_[index_of(slot)] : std::string();
}

std::vector<std::string> SlotOwners::members() const {
  std::set<std::string> known;
  {
    const MutexLock lock(mutex_);
    known.insert(owners_.begin(), owners_.end());
  }
  known.erase("");
  return {known.begin(), known.end()};
}

void SlotOwners::look(std::function<void()> then) {
  {
    const MutexLock lock(mutex_);
    if (!stopping_) {
      waiting_.push_back(std::move(then));
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      wanted_.notify_all();
      return;
    }
  }
  then();
}

void SlotOwners::look() {
  const auto done = std::make_shared<std::promise<void>>();
  look([done] { done->set_value(); });
  done->get_future().wait();
}

void SlotOwners::run() {
  MutexLock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || !waiting_.empty(); });
    std::vector<std::function<void()>> served;
    served.swap(waiting_);
    const bool over = stopping_;
    lock.unlock();
    auto owners = over ? Result<std::vector<std::string>>(external_error("stopping")) : membership_.owners();
    if (owners && correct_) correct_(*owners);
    lock.lock();
    if (owners)
      owners_ = std::move(*owners);
    else if (!over)
      spdlog::debug("owners of slots: {}", owners.error().message);
    lock.unlock();
    for (const auto& then : served) then();
    lock.lock();
    if (over && waiting_.empty()) return;
    wanted_.wait_for(lock, kBetweenLooks, [&]() REQUIRES(mutex_) { return stopping_; });
  }
}

void SlotOwners::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wanted_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace millrace::inline exec
