#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/runtime/kept_table.h"
#include "parser/error/mutex.h"
#include "planner/catalog/catalog.h"

namespace millrace::inline server {

/// The tables that no query keeps, but this process does, for pull queries: those that were asked for lately.
/// Thread-safe. To be cleared before the engine goes.
class KeptTables {
 public:
  /// `idle`: how long one is kept that nobody asks for.
  explicit KeptTables(std::chrono::milliseconds idle) : idle_(idle) {}

  using Make = std::function<Result<std::shared_ptr<KeptTable>>()>;
  /// The table of a source as it is defined now; null: it was found that it cannot be kept. `make` is called where it
  /// is not kept yet; one at a time.
  Result<std::shared_ptr<KeptTable>> get(const SourcePtr& source, const Make& make);
  /// The table of a source if it is kept now; else null.
  std::shared_ptr<KeptTable> find(const SourcePtr& source);
  /// What the table of that name takes in memory; absent: it is not kept.
  std::optional<std::size_t> memory_bytes(const std::string& name);
  /// What is to be kept cannot be: it is not tried again for a while.
  void refuse(const SourcePtr& source);
  /// Lets go of those nobody has asked for, and tries again what was refused.
  void forget_idle();
  /// The source of that name is another one now, or none. Waits for nobody who begins to keep one.
  void forget(const std::string& name);
  /// Nothing is kept from now on.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    SourcePtr source;
    std::shared_ptr<KeptTable> table;  // null: it cannot be kept
    Clock::time_point asked;
  };
  /// What is known of a source; null: it cannot be kept.
  std::optional<std::shared_ptr<KeptTable>> known(const SourcePtr& source);
  void forget(const std::function<bool(Kept&)>& which);

  const std::chrono::milliseconds idle_;
  Mutex changing_;                                       // held while one begins or ends, which may take seconds
  Mutex mutex_;                                          // after that
  std::map<std::string, Kept> kept_ GUARDED_BY(mutex_);  // by name of the source
  bool cleared_ GUARDED_BY(mutex_) = false;
};

/// Rows that are there only as long as the tables are held.
std::shared_ptr<TableRows> held(std::shared_ptr<TableRows> rows, std::vector<std::shared_ptr<KeptTable>> tables);

}  // namespace millrace::inline server
