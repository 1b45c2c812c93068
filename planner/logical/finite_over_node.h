#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Functions over the rows of each partition of an input that ends, in an order; rows that are equal in it stand as
/// they came. Rows are given as they came, at the end.
/// Output schema: all columns of the input, then a column per call.
struct FiniteOverNode {
  NodePtr input;
  std::vector<ExprPtr> partition;
  std::vector<SortKey> order;
  std::vector<OverCall> calls;

  static constexpr NodeTraits kTraits{.name = "finite_over", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&FiniteOverNode::input);
  static constexpr auto kFields =
      std::tuple(Field("partition", &FiniteOverNode::partition, " partition {}"),
                 Field("order", &FiniteOverNode::order, " by {}"), Field("calls", &FiniteOverNode::calls, " {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    for (const OverCall& call : calls) made.schema.columns.push_back(call.call.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
