#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// The rows of both inputs, whose columns are alike: those that are in first by time, then those of the left.
struct UnionNode {
  NodePtr left, right;

  static constexpr NodeTraits kTraits{.name = "union", .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&UnionNode::left, &UnionNode::right);
  static constexpr auto kFields = std::tuple<>();
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from, const Relation&) const { return from; }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return std::nullopt; }
};

}  // namespace millrace::inline planner
