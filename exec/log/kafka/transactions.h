#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "exec/log/kafka/client.h"
#include "exec/log/kafka/ending.h"
#include "exec/log/kafka/membership.h"

namespace millrace::inline exec::kafka {

/// The transactional calls of one producer, each repeated until its outcome is known. One thread at a time, but for
/// stop(). Errors: Fault::fenced when the producer is of no use any more; anything else leaves a transaction that must
/// be aborted.
class Transactions {
 public:
  Transactions(rd_kafka_s* client, std::shared_ptr<GroupFence> fence, std::shared_ptr<const Ending> ending)
      : client_(client), fence_(std::move(fence)), ending_(std::move(ending)) {}

  /// Ends what a predecessor left open, begins the first transaction.
  Status init(std::chrono::milliseconds wait);
  /// The grant under which what follows is written; absent fence: 0.
  std::uint64_t grant() const { return fence_ ? fence_->grant() : 0; }
  /// Flush, fence, end, begin the next one. `grant`: of what is committed; when it is over, so is the transaction.
  /// `before_end`, if any, is called between fence and end; its error is that of the commit.
  Status commit(std::uint64_t grant, const std::function<Status()>& before_end);
  /// Drops the open transaction, begins the next one.
  Status abort(std::chrono::milliseconds wait);
  /// Calls under way give up soon, with their outcome unknown. Any thread.
  void stop() { stopping_.store(true); }
  bool stopped() const { return stopping_.load() || ending_->over(); }

 private:
  template <class Call>
  Status repeat(std::string_view doing, std::chrono::milliseconds wait, Call&& call);
  Status begin();
  Status flush();
  Status prove(std::uint64_t grant);

  rd_kafka_s* const client_;
  const std::shared_ptr<GroupFence> fence_;
  const std::shared_ptr<const Ending> ending_;
  std::atomic<bool> stopping_{false};
};

}  // namespace millrace::inline exec::kafka
