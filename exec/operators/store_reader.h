#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "planner/logical/plan.h"

namespace millrace {

/// Turns what a store gives to outside readers (Store::get, scan) back into rows. One thread.
class StoreReader {
 public:
  virtual ~StoreReader() = default;
  /// The bytes are copied.
  virtual void add(std::string_view key, std::string_view value) = 0;
  virtual std::size_t rows() const = 0;
  /// What was added, in order, with the schema of the store's operator, event times and windows; the reader is empty
  /// afterwards.
  virtual Result<Batch> finish() = 0;
};

/// `owner` is the node that declares the store: an AggregateNode or a MaterializeNode. It must outlive the reader.
Result<std::unique_ptr<StoreReader>> make_store_reader(const PlanNode& owner);

/// The bytes that keys of `owner`'s store begin with, from boxes for all or the first few of its key columns. A whole
/// key of an unwindowed store is the key itself; windows follow as in exec/state/key_codec.h.
std::string store_key_prefix(const PlanNode& owner, std::span<const Value> key);

}  // namespace millrace
