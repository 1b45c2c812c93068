#pragma once

#include <condition_variable>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// The writers of one process, by what they are called in the log.
struct ProcessWriters {
  std::string service, process;
  std::string worker(int index) const { return service + process + "-" + std::to_string(index); }
  /// Of those that run what concerns other clusters.
  std::string worker(const std::string& clusters, int lane) const {
    return service + process + "-" + clusters + "-" + std::to_string(lane);
  }
  std::string loans() const { return service + process + "-loans"; }
  std::string statements() const { return service + process + "-statements"; }
};

/// Under what id a process joins its group: other processes see from it what writers it has.
std::string member_id_of(const std::string& process, int workers);

/// Ends what processes have left open in the log that are in the group no more: a process that was killed leaves
/// transactions, and whoever takes its slots over cannot read past them until the log itself gives them up, ten to
/// twenty seconds later. Whoever is only thought to be gone finds that it has been fenced. Has a thread of its own.
class DepartedProcesses {
 public:
  /// Combinations of other clusters that have workers here, and so in all processes; empty: of none.
  using Combinations = std::function<std::vector<std::string>()>;
  /// `own`: the id of this process in the group; `workers`: how many a process has that does not tell.
  DepartedProcesses(Log& log, Membership& membership, std::string service, std::string own, int workers,
                    Combinations combinations = nullptr);
  ~DepartedProcesses() { stop(); }
  /// The group has changed. Any thread; does not wait.
  void look();
  void stop();

 private:
  using Ids = std::set<std::string>;
  void run();
  Ids find_gone();
  void end_writers(const std::string& member);
  std::vector<std::string> writers_of(const ProcessWriters& writers, int workers);

  Log& log_;
  Membership& membership_;
  const std::string service_, own_;
  const int workers_;
  const Combinations combinations_;
  Ids known_;  // the thread's own
  Mutex mutex_;
  std::condition_variable wake_;
  bool asked_ GUARDED_BY(mutex_) = false, stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline exec
