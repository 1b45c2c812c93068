#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Keeps the newest row of each key of a table in a store: for pull queries and for operators that need "before".
/// With `emit_before` it gives full changes (insert, update_before/update_after, remove with the old values; nothing
/// for the removal of an absent key); without, it hands every row on as it came.
struct MaterializeNode {
  NodePtr input;
  bool emit_before = false;

  static constexpr NodeTraits kTraits{.name = "materialize", .before = Before::never, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&MaterializeNode::input);
  static constexpr auto kFields = std::tuple(Field("emit_before", &MaterializeNode::emit_before, " before"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "Materialize", .holds_result = true}};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
