#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives rows of a stream another time: that of an expression (a row where it is NULL or negative is left out and
/// reported), or that of the clock when they are taken.
struct RetimeNode {
  NodePtr input;
  std::vector<ProjectItem> time;  // one, in ms; none: the clock

  static constexpr NodeTraits kTraits{.name = "retime"};
  static constexpr auto kInputs = std::tuple(&RetimeNode::input);
  static constexpr auto kFields = std::tuple(Field("time", &RetimeNode::time, " {}").fixed("windowTime"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
  std::string remark() const { return time.empty() ? " clock" : ""; }
};

}  // namespace millrace::inline planner
