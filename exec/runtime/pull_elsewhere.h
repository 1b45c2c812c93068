#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/runtime/engine_impl.h"

namespace millrace::inline exec {

/// Reads a table's partitions that other processes keep, for one pull query: in whatever order its rows come best.
class ScanElsewhere {
 public:
  /// `range`: what is wanted, its partitions included. `one_by_one`: a process is asked when those before have given
  /// all. `allowed_lag`: see PreparedPull.
  ScanElsewhere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::size_t subtopology, TableRange range,
                bool one_by_one, std::optional<std::int64_t> allowed_lag);

  /// The next entries, perhaps none; false: there are no more. Waits. Fault::unavailable: nobody keeps a partition at
  /// the moment, or whoever does has gone after it gave a part.
  Result<bool> next(TableEntries& out);

 private:
  /// What one process was asked for.
  struct Part {
    std::string keeper;
    bool copies = false;               // of what others own
    std::vector<int> partitions = {};  // those that have not come whole
    std::unique_ptr<TablePages> pages = nullptr;
    bool begun = false;  // the first of them has come in part
  };
  std::string keeper_of(int partition, bool& copies);
  Status share_out();
  void ask(Part& part);
  void look();
  bool try_others(const Error& why);

  EngineImpl& engine_;
  const std::shared_ptr<QueryRun> run_;
  const std::size_t subtopology_;
  TableRange range_;  // its partitions: those that nobody has been asked for
  const bool one_by_one_;
  const std::optional<std::int64_t> allowed_lag_;
  bool looked_ = false;                      // the group was asked for this scan
  std::map<int, std::size_t> copies_tried_;  // by partition, of those that their owners do not give
  std::optional<Error> why_;                 // they do not
  std::vector<Part> parts_;                  // the last is being read
};

}  // namespace millrace::inline exec
