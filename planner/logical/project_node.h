#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Computes the output columns; key items come first. A null stream value stays null.
struct ProjectNode {
  NodePtr input;
  std::vector<ProjectItem> items;
  bool emit_before = false;  // as of AggregateNode

  static constexpr NodeTraits kTraits{.name = "project", .upgrade = Upgrade::free};
  static constexpr auto kInputs = std::tuple(&ProjectNode::input);
  static constexpr auto kFields = std::tuple(Field("items", &ProjectNode::items, " {}"),
                                             Field("emit_before", &ProjectNode::emit_before, " before").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.schema.columns.clear();
    for (const auto& item : items) made.schema.columns.push_back(item.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return std::nullopt; }
};

}  // namespace millrace::inline planner
