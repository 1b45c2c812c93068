#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Ranks the rows of an input that ends, within each partition in an order; rows that are equal in it stand as they
/// came. Rows are given as they came, at the end.
/// Output schema: all columns of the input, then the rank.
struct FiniteRankNode {
  NodePtr input;
  std::vector<ExprPtr> partition;
  std::vector<SortKey> order;
  RankFunction rank = RankFunction::row_number;

  static constexpr std::string_view kRank = "MILLRACE_RANK";
  static constexpr NodeTraits kTraits{.name = "finite_rank", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&FiniteRankNode::input);
  static constexpr auto kFields = std::tuple(Field("rank", &FiniteRankNode::rank, " {}"),
                                             Field("partition", &FiniteRankNode::partition, " partition {}"),
                                             Field("order", &FiniteRankNode::order, " by {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.schema.columns.push_back({.name = std::string(kRank), .type = Type::bigint()});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
