#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Lets a row of a stream through unless one with the same key went through whose time is no further away than
/// `within_ms`. A row that is older than stream time by more than the grace is late.
struct DedupNode {
  NodePtr input;
  std::int64_t within_ms = 0, grace_ms = 0;

  static constexpr NodeTraits kTraits{.name = "dedup"};
  static constexpr auto kInputs = std::tuple(&DedupNode::input);
  static constexpr auto kFields = std::tuple(Field("within", &DedupNode::within_ms, " within {} ms").fixed("within"),
                                             Field("grace", &DedupNode::grace_ms, " grace {} ms"));
  static constexpr std::array kStores{StoreRole{.role = "passed", .step = "Dedup", .layout = StoreLayout::timed_rows}};

  std::int64_t retention_ms() const { return within_ms + grace_ms; }

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
