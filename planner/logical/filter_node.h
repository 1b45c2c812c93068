#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Keeps rows whose predicate is TRUE (NULL and failures count as false). Streams: rows with a null value are
/// dropped. Tables: a row that no longer passes is withdrawn. `retract` is set by the physical planner when the
/// input gives "before" rows, so that only rows which had passed are withdrawn (HAVING).
struct FilterNode {
  NodePtr input;
  ExprPtr predicate;
  bool retract = false;
  bool emit_before = false;  // as of AggregateNode

  static constexpr NodeTraits kTraits{.name = "filter", .upgrade = Upgrade::free};
  static constexpr auto kInputs = std::tuple(&FilterNode::input);
  static constexpr auto kFields =
      std::tuple(Field("predicate", &FilterNode::predicate, " {}"), Field("retract", &FilterNode::retract, " retract"),
                 Field("emit_before", &FilterNode::emit_before, " before").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
