#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Groups all rows of an input that ends, and gives the groups at its end, in the order in which they came. Output
/// schema: the keys, then one column per call. Without keys there is one group, rows or not.
///
/// In two steps, where the rows lie with several processes: each gives the states of its groups (`partial`), and who
/// asked puts those of the same keys together (`merges`: the input is what partial nodes of the same keys and calls
/// give).
struct GroupNode {
  NodePtr input;
  std::vector<ProjectItem> keys;
  std::vector<AggregateCall> calls;
  bool keep_null = false;  // NULL is a key as any other (DISTINCT); else a row with one is left out (GROUP BY)
  bool partial = false, merges = false;
  bool total = false;  // the group of which all keys are NULL is there, rows or not

  static constexpr NodeTraits kTraits{.name = "group", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&GroupNode::input);
  static constexpr auto kFields =
      std::tuple(Field("keys", &GroupNode::keys, " by {}"), Field("calls", &GroupNode::calls, " {}"),
                 Field("keep_null", &GroupNode::keep_null, kNotShown),
                 Field("partial", &GroupNode::partial, " partial").optional(),
                 Field("merges", &GroupNode::merges, " merges").optional(),
                 Field("total", &GroupNode::total, " total").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation&) const {
    Relation made{.schema = {}, .kind = RelationKind::stream, .window = {}};
    for (const auto& key : keys) made.schema.columns.push_back(key.column);
    if (partial) {
      made.schema.columns.push_back({.name = "STATES", .type = Type::bytes()});
      return made;
    }
    for (const auto& call : calls) made.schema.columns.push_back(call.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return std::nullopt; }
};

}  // namespace millrace::inline planner
