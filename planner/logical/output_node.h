#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Ends a transient query: rows go to the client, at most `limit` of them.
struct OutputNode {
  NodePtr input;
  std::optional<std::int64_t> limit;
  /// Positions of the input's columns in the order the client sees them; empty: all, as they stand.
  std::vector<std::size_t> columns = {};

  static constexpr NodeTraits kTraits{.name = "output"};
  static constexpr auto kInputs = std::tuple(&OutputNode::input);
  static constexpr auto kFields = std::tuple(Field("limit", &OutputNode::limit, " limit {}").optional(),
                                             Field("columns", &OutputNode::columns, kNotShown).optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
