#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exec/data/aged_cache.h"
#include "exec/data/batch.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// The rows of one partition of a table at one moment, as columns: some of those of the table, in the table's order.
struct TableImage {
  std::uint64_t version = 0;  // of the store that they were read from
  std::vector<ColumnDef> columns;
  std::vector<Batch> rows;
  std::size_t bytes = 0;
};
using TableImagePtr = std::shared_ptr<const TableImage>;

/// Images of what pull queries have read whole: as long as nothing is committed to it, the next one need not read it
/// again. One for each partition of a table, all of them within a number of bytes; those that were not asked for
/// longest go first. Thread-safe.
class TableImages {
 public:
  explicit TableImages(std::size_t most_bytes) : most_bytes_(most_bytes), images_(most_bytes) {}

  using Place = std::pair<std::string, int>;  // the query that keeps the table, and a partition
  std::size_t most_bytes() const { return most_bytes_; }
  /// Null: there is none of that version.
  TableImagePtr find(const Place& place, std::uint64_t version);
  void put(const Place& place, TableImagePtr image);
  /// Forgets what nobody has asked for lately.
  void forget_idle();

 private:
  const std::size_t most_bytes_;
  Mutex mutex_;
  AgedCache<Place, TableImagePtr> images_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
