#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/runtime/engine_impl.h"

namespace millrace::inline exec {

/// Reads a table's partitions that other processes keep, for one pull query: in whatever order its rows come best.
class ScanElsewhere {
 public:
  /// `range`: what is wanted, its partitions included. `one_by_one`: an owner is asked when those before have given
  /// all.
  ScanElsewhere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::size_t subtopology, TableRange range,
                bool one_by_one);

  /// The next entries, perhaps none; false: there are no more. Waits. Fault::unavailable: nobody keeps a partition at
  /// the moment, or its owner has gone after it gave a part.
  Result<bool> next(TableEntries& out);

 private:
  /// What one process was asked for.
  struct Part {
    std::string owner;
    std::vector<int> partitions;  // those that have not come whole
    std::unique_ptr<TablePages> pages;
    bool begun = false;  // the first of them has come in part
  };
  Status share_out();
  void ask(Part& part);
  /// After the first try has failed: asks the group who has the partitions now.
  void start_over();

  EngineImpl& engine_;
  const std::shared_ptr<QueryRun> run_;
  const std::size_t subtopology_;
  TableRange range_;  // its partitions: those that nobody has been asked for
  const bool one_by_one_;
  bool looked_ = false;      // the group was asked for this scan
  std::vector<Part> parts_;  // the last is being read
};

}  // namespace millrace::inline exec
