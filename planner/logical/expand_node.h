#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives each row once for each of several sets of grouping expressions: the expressions, NULL where the set lacks
/// them, then which they are, then the columns of the input. A row with a NULL among those of a set is not given for
/// it. GROUPING SETS, ROLLUP and CUBE.
struct ExpandNode {
  NodePtr input;
  std::vector<ProjectItem> keys;
  std::vector<std::size_t> sets;  // bit i: the set has keys[i]

  static constexpr std::string_view kLacks = "GROUPING_ID";  // bit i: the row's set lacks keys[i]
  static constexpr NodeTraits kTraits{.name = "expand"};
  static constexpr auto kInputs = std::tuple(&ExpandNode::input);
  static constexpr auto kFields = std::tuple(Field("keys", &ExpandNode::keys, " {}").fixed("keyExpression"),
                                             Field("sets", &ExpandNode::sets, " sets {}").fixed("groupingSets"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made{.schema = {}, .kind = from.kind, .window = {}};
    for (const auto& key : keys) made.schema.columns.push_back(key.column);
    made.schema.columns.push_back({.name = std::string(kLacks), .type = Type::bigint()});
    made.append_as_values(from);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return keys.size() + 1; }
};

}  // namespace millrace::inline planner
