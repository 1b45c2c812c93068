#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Takes rows of a stream in by key, as the aggregate behind the repartition would, and gives at each commit one row
/// per key that stands for all of them. Output schema: that of the input, then a column of aggregate states (BYTES):
/// where it is not NULL, the row is such a sum and its other value columns are NULL; where it is, the row is one that
/// came in. Inserted by a rule.
struct CombineNode {
  NodePtr input;
  std::vector<AggregateCall> calls;  // those of the aggregate, over the same columns

  static constexpr std::string_view kStates = "STATES";
  static constexpr NodeTraits kTraits{.name = "combine"};
  static constexpr auto kInputs = std::tuple(&CombineNode::input);
  static constexpr auto kFields = std::tuple(Field("calls", &CombineNode::calls, " {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.schema.columns.push_back(ColumnDef{std::string(kStates), Type::bytes(), ColumnRole::value, std::nullopt});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
