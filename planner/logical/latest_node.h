#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives, at the end of an input that ends, the newest row of each key of a table: those that were not removed, in the
/// order in which their keys came. They stand for themselves.
struct LatestNode {
  NodePtr input;

  static constexpr NodeTraits kTraits{.name = "latest", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&LatestNode::input);
  static constexpr auto kFields = std::tuple<>();
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.kind = RelationKind::stream;
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
