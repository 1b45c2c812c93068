#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Appends one value column per call, one output row per element, shorter lists padded with NULL; no row when
/// all are empty. Rows with a null value are dropped.
struct FlatMapNode {
  NodePtr input;
  std::vector<TableCall> calls;

  static constexpr NodeTraits kTraits{.name = "flat_map"};
  static constexpr auto kInputs = std::tuple(&FlatMapNode::input);
  static constexpr auto kFields = std::tuple(Field("calls", &FlatMapNode::calls, " {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    for (const auto& call : calls) made.schema.columns.push_back(call.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
