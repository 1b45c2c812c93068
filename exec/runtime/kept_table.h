#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "exec/runtime/engine.h"

namespace millrace::inline exec {

/// What the ids of the plans of kept tables begin with: what is filed under it belongs to a process that lives.
inline constexpr std::string_view kKeptTablePrefix = "materialization of ";

/// A table that no query keeps, which this process keeps for pull queries: read from its topic into a state store, all
/// partitions of it, without changelog or progress, for as long as it is held. Pull queries read it by the id of its
/// plan, and must hold it while they do. Thread-safe. Must not outlive the engine.
class KeptTable {
 public:
  virtual ~KeptTable() = default;  // its state goes; waits for what its thread is at, some seconds at most
  virtual const std::shared_ptr<const PhysicalPlan>& plan() const = 0;
  /// Waits until the table has what its topic had at the call. Fault::unavailable: not within `at_most`, or the log
  /// does not answer; it goes on. Any other error: it cannot be kept (its topic is gone, it is too large where there is
  /// no disk for state), and never will be.
  virtual Status catch_up(std::chrono::milliseconds at_most) = 0;
  /// What its state takes in memory.
  virtual std::size_t memory_bytes() const = 0;
};

}  // namespace millrace::inline exec
