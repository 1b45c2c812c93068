#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/operators/operator.h"
#include "exec/runtime/witness.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

/// How far a task has come: the value of its record in the slots topic (design.md §5). Written in the transaction that
/// makes the outputs up to here visible.
struct Progress {
  std::uint64_t sequence = 0;  // commits of this task so far; 0: written when the query was accepted
  std::vector<std::pair<std::string, std::int64_t>> offsets;  // input topic, next offset to read
  OperatorStates operators;                                   // Pipeline::save(); meaningless while sequence is 0

  std::vector<std::pair<std::string, Witness>> witnesses;  // input topic, a record of it before the offset
  /// Of a task that keeps the pace of others (Pace): the time of its next row, or of its last ones while it has none.
  std::optional<std::int64_t> pace;

  /// Of a task that lives on while its inputs are quiet (IdleClock): how far it has come.
  std::optional<std::int64_t> stream_time;
  /// Of an input: what those who write it have said of their times (TimeRecord), by task.
  struct Times {
    std::string topic;
    std::vector<std::pair<std::size_t, std::int64_t>> of;
    friend bool operator==(const Times&, const Times&) = default;
  };
  std::vector<Times> times;

  /// Input topics that are read up to so far before the task reads anything else; who has come there is no more in it.
  std::vector<std::pair<std::string, std::int64_t>> ready;

  /// Empty where nothing is known.
  const std::vector<std::pair<std::size_t, std::int64_t>>& times_of(std::string_view topic) const;
  std::int64_t offset_of(std::string_view topic, std::int64_t otherwise) const;
  std::optional<std::int64_t> ready_of(std::string_view topic) const;
  /// Its offset is -1 where there is none.
  Witness witness_of(std::string_view topic) const;
};

/// What a query's progress and state are filed under: never that of another attempt to make one of the same id.
std::string filed_under(const PhysicalPlan& plan);
/// What a partition of a store is filed under in the state database (StoreSlot::prefix).
std::string state_name(const PhysicalPlan& plan, const std::string& store, int partition);
/// Key of a task's record: the same for every process.
std::string progress_key(const PhysicalPlan& plan, const Subtopology& subtopology, int partition);
std::string encode(const Progress& progress);
/// Reads what this version and earlier ones wrote. External error when the bytes are not a progress record.
Result<Progress> decode_progress(std::string_view bytes);

}  // namespace millrace::inline exec
