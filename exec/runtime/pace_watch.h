#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/progress.h"
#include "exec/runtime/query_run.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// Finds out how far those tasks have come in event time that other processes run, for the paces of queries here: reads
/// their progress records as they are committed, and whether their inputs hold more than that. While somebody asks, and
/// for a while after that, it follows the slots topic. Looking late, or at something old, only makes others wait.
class PaceWatch {
 public:
  using Runs = std::vector<std::shared_ptr<QueryRun>>;
  /// `runs`: the queries of this process.
  PaceWatch(Log& log, std::string slots_topic, std::function<Runs()> runs);
  ~PaceWatch() { stop(); }

  /// Somebody wants to know soon. Any thread; does not wait.
  void look();
  void stop();

 private:
  /// A task that another process runs.
  struct Watched {
    std::shared_ptr<QueryRun> run;
    Pace::Elsewhere member;
    SlotId slot = kNoSlot;
    std::string key;  // of its progress
    std::vector<TopicPartition> inputs;
  };
  void watch();
  std::vector<Watched> find_watched();
  Status look_around(const std::vector<Watched>& watched);
  Status follow(const std::vector<Watched>& watched);
  Status read_records();
  Status ask_ends(const std::vector<Watched>& watched);
  Status tell(const Watched& one, Clock::time_point asked) const;

  Log& log_;
  const std::string slots_topic_;
  const std::function<Runs()> runs_;

  // The thread's own.
  std::unique_ptr<Reader> reader_;
  std::map<SlotId, ReadHandle> sources_;
  std::unordered_map<std::string, std::string> newest_;  // progress records of the slots that are followed
  std::map<TopicPartition, std::int64_t> ends_;

  Mutex mutex_;
  std::condition_variable event_;
  bool asked_ GUARDED_BY(mutex_) = false, stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline exec
