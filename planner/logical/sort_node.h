#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives the rows of an input that ends in another order, at its end: `limit` of them behind the first `offset`.
/// Without `order` rows pass as they come.
struct SortNode {
  NodePtr input;
  std::vector<SortKey> order;
  std::optional<std::int64_t> limit = {};
  std::optional<std::int64_t> offset = {};

  static constexpr NodeTraits kTraits{.name = "sort", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&SortNode::input);
  static constexpr auto kFields =
      std::tuple(Field("order", &SortNode::order, " by {}"), Field("limit", &SortNode::limit, " limit {}"),
                 Field("offset", &SortNode::offset, " offset {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
