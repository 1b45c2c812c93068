#pragma once

#include <condition_variable>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

class LocalLog;

/// One process owns everything: all slots are granted at the first poll.
class LocalMembership final : public Membership {
 public:
  LocalMembership(LocalLog& log, std::string group, int slots, std::string advertised);
  ~LocalMembership() override;
  Status join(const std::string& member_id, Events events) override;
  /// Sleeps for `wait` when there is nothing to tell; leave() ends that.
  Status poll(std::chrono::milliseconds wait) override;
  Result<std::vector<std::string>> owners() override;
  Result<std::vector<std::string>> members() override { return std::vector{advertised_}; }
  void leave() override;

 private:
  enum class Stage : std::uint8_t { out, joined, granted };

  LocalLog& log_;
  const std::string group_;
  const int slots_;
  const std::string advertised_;
  Mutex mutex_;
  std::condition_variable left_;
  Stage stage_ GUARDED_BY(mutex_) = Stage::out;
  Events events_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
