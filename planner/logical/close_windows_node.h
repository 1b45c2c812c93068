#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Makes final results of a table with windows: gives the newest row of each key once, when stream time has come to the
/// end of its window.
struct CloseWindowsNode {
  NodePtr input;

  static constexpr NodeTraits kTraits{.name = "close_windows", .before = Before::never};
  static constexpr auto kInputs = std::tuple(&CloseWindowsNode::input);
  static constexpr std::tuple<> kFields{};
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "CloseWindows"}};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.kind = RelationKind::stream;
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
