#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// EMIT CHANGES EVERY: of a table's changes at most one for each key in each interval of the wall clock, at its end:
/// from the row that was given last to the one that there is. Intervals begin with 1970.
struct EveryNode {
  NodePtr input;
  std::int64_t every_ms = 0;

  static constexpr NodeTraits kTraits{.name = "every", .before = Before::always, .upgrade = Upgrade::free};
  static constexpr auto kInputs = std::tuple(&EveryNode::input);
  static constexpr auto kFields = std::tuple(Field("every", &EveryNode::every_ms, " {} ms"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "Every", .layout = StoreLayout::timed_rows}};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
