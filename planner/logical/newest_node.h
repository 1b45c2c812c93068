#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Of a table with versions: lets a row through unless a newer one of its key, by time, has come before it. What is
/// behind that has the row with the greatest time of each key.
struct NewestNode {
  NodePtr input;
  std::int64_t history_ms = 0;  // how long a removal keeps older rows away, in stream time

  static constexpr NodeTraits kTraits{.name = "newest", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&NewestNode::input);
  static constexpr auto kFields = std::tuple(Field("history", &NewestNode::history_ms, " history {} ms"));
  static constexpr std::array kStores{
      StoreRole{.role = "times", .step = "Newest-times"},
      StoreRole{.role = "removals", .step = "Newest-removals", .layout = StoreLayout::timed_rows}};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
