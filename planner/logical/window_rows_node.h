#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives each row once for every window of a fixed size that it is in, with the window's bounds behind its columns:
/// TUMBLE and HOP in FROM, and windows over tables that have windows.
struct WindowRowsNode {
  NodePtr input;
  std::int64_t size_ms = 0, advance_ms = 0;
  std::vector<ProjectItem> time;  // one, in ms: what windows go by; none: the row's own time

  static constexpr std::string_view kStart = "WINDOWSTART", kEnd = "WINDOWEND";
  static constexpr NodeTraits kTraits{.name = "window_rows"};
  static constexpr auto kInputs = std::tuple(&WindowRowsNode::input);
  static constexpr auto kFields =
      std::tuple(Field("size", &WindowRowsNode::size_ms, " size {} ms").fixed("windowExpression"),
                 Field("advance", &WindowRowsNode::advance_ms, " advance {} ms").fixed("windowExpression"),
                 Field("time", &WindowRowsNode::time, " by {}").fixed("windowTime"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    for (const std::string_view bound : {kStart, kEnd})
      made.schema.columns.push_back({.name = std::string(bound), .type = Type::bigint()});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
