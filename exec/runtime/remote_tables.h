#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/slot.h"
#include "exec/runtime/window_range.h"

/// Pull queries over what several processes keep: whoever is asked asks those that own the slots. What goes between
/// processes is what their stores hold; the asker makes rows of it.
namespace millrace::inline exec {

/// Keys and values as a store has them.
using TableEntries = std::vector<std::pair<std::string, std::string>>;
using TableFound = std::function<void(Result<TableEntries>)>;

/// One key of a table.
struct TableKey {
  std::string query;       // that keeps the table
  std::uint64_t plan = 0;  // EngineImpl::mark_of its run: both sides must read the same into the bytes
  int partition = 0;
  std::string key;  // without window
  WindowRange windows;
  std::optional<std::int64_t> max_lag = {};  // a copy will do that lacks at most so many records; absent: none will
};

/// A range of a table's keys in some of its partitions.
struct TableRange {
  std::string query;
  std::uint64_t plan = 0;
  std::vector<int> partitions;
  std::string from, to;                      // [from, to); empty: no bound
  std::optional<std::int64_t> max_lag = {};  // as above
  /// What is to be done with the rows where they are: a plan in JSON whose leaf is the scan. What it gives then
  /// travels, as an entry per row that PullStep of the same plan reads, and no partition is at its end before all are.
  /// Empty: the entries of the store do.
  std::string work = {};
};

/// What a range has, partition by partition in the order asked for.
class TablePages {
 public:
  struct Page {
    TableEntries entries;
    bool last = false;  // of its partition
  };
  virtual ~TablePages() = default;
  /// Waits. Not to be called again after the last page of the last partition, or an error. Fault::unavailable: a
  /// partition is not owned and ready where it was asked for.
  virtual Result<Page> next() = 0;
};

/// What a process asks of another about slots that one owns and the other runs (lender.h).
struct LoanQuestion {
  std::vector<SlotId> take;       // lent to it: to be run
  std::vector<SlotId> give_back;  // not any more
  std::vector<SlotId> lags;       // how far are its copies of their state behind?
};
struct LoanAnswer {
  std::uint64_t epoch = 0;         // of its membership
  std::vector<SlotId> held;        // what it has borrowed and runs
  std::vector<std::int64_t> lags;  // -1: it has no copy
};

/// The way to the other processes of the service, by the address that each tells its group. Thread-safe.
class RemoteTables {
 public:
  virtual ~RemoteTables() = default;
  /// Calls `found` once, within some seconds, on a thread that it must not hold up. Fault::unavailable: the process
  /// cannot be reached, or does not keep the partition.
  virtual void look_up(const std::string& address, TableKey key, TableFound found) = 0;
  /// Asks at once; next() waits for what has come.
  virtual std::unique_ptr<TablePages> scan(const std::string& address, const TableRange& range) = 0;
  /// The answers in the order of the questions, each to an address. Waits for the slowest, at most so long.
  virtual std::vector<Result<LoanAnswer>> ask_loans(const std::vector<std::pair<std::string, LoanQuestion>>& questions,
                                                    std::chrono::milliseconds wait) = 0;
  /// Ends all that is under way with an error, and whatever is asked from now on. For good.
  virtual void stop() = 0;
};

}  // namespace millrace::inline exec
