#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// EMIT FINAL of single rows: gives those of a stream in the order of their times, each once stream time has come to
/// its time and `grace_ms`. What comes later than that is dropped.
struct TimeSortNode {
  NodePtr input;
  std::int64_t grace_ms = 0;

  static constexpr NodeTraits kTraits{.name = "time_sort", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&TimeSortNode::input);
  static constexpr auto kFields = std::tuple(Field("grace", &TimeSortNode::grace_ms, " grace {} ms"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "TimeSort", .layout = StoreLayout::timed_rows}};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
