#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Functions over the rows of each group of rows of a stream with one key, exactly: rows are put in the order of their
/// times, held until stream time has come to their time and `grace_ms`, and given out when all rows of their frames
/// are known. The columns of the input, then a column per call. What comes later is dropped.
struct OverFinalNode {
  NodePtr input;
  std::vector<SortKey> order;  // among rows of one time
  std::vector<OverCall> calls;
  std::int64_t grace_ms = 0;

  static constexpr NodeTraits kTraits{.name = "over_final", .before = Before::never};
  static constexpr auto kInputs = std::tuple(&OverFinalNode::input);
  static constexpr auto kFields = std::tuple(Field("order", &OverFinalNode::order, " by {}").fixed("order"),
                                             Field("calls", &OverFinalNode::calls, " {}").fixed("functions"),
                                             Field("grace", &OverFinalNode::grace_ms, " grace {} ms"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "OverFinal", .layout = StoreLayout::timed_rows},
                                      StoreRole{.role = "frames", .step = "OverFinal-Frames"}};

  Relation derive(const Relation& from) const {
    Relation made{.schema = from.schema, .kind = RelationKind::stream, .window = {}};
    for (const auto& call : calls) made.schema.columns.push_back(call.call.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
