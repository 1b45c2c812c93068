#pragma once

#include <condition_variable>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// Which process owns each slot, as the group was last asked: a guess that the owner itself has to confirm.
/// Thread-safe.
class SlotOwners {
 public:
  /// Puts the process that runs a slot in the place of the one that owns it. May wait a moment.
  using Correct = std::function<void(std::vector<std::string>&)>;
  explicit SlotOwners(Membership& membership, Correct correct = {})
      : membership_(membership), correct_(std::move(correct)) {}
  ~SlotOwners() { stop(); }

  /// The owner's address; empty: nobody is known.
  std::string of(SlotId slot) const;
  /// Those that own any, by address.
  std::vector<std::string> members() const;
  /// Asks the group again, a few times a second at most, and then calls `then` on a thread that it must not hold up.
  /// When the group does not answer, or is sharing the slots out, the owners stay as they were.
  void look(std::function<void()> then);
  /// The same, and waits for it.
  void look();
  /// Ends the thread; whoever waits has waited enough.
  void stop();

 private:
  void run();

  Membership& membership_;
  const Correct correct_;
  mutable Mutex mutex_;
  std::condition_variable wanted_;
  std::vector<std::string> owners_ GUARDED_BY(mutex_);
  std::vector<std::function<void()>> waiting_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // made when first needed; under mutex_ until stopping_
};

}  // namespace millrace::inline exec
