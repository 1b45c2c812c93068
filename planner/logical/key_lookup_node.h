#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Reads keys of a table from the store that keeps it: committed rows, key by key in the order given. The rows stand
/// for themselves: nothing above sees them change.
struct KeyLookupNode {
  std::string table;  // as the catalog has it
  std::string query;  // that keeps the rows
  Schema rows;
  std::optional<WindowInfo> window_of_rows = {};
  std::vector<KeyAccess> keys;  // the same key twice is one look-up

  static constexpr NodeTraits kTraits{.name = "key_lookup", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple<>();
  static constexpr auto kFields = std::tuple(
      Field("table", &KeyLookupNode::table, " {}"), Field("query", &KeyLookupNode::query, " kept by {}"),
      Field("rows", &KeyLookupNode::rows, kNotShown), Field("window", &KeyLookupNode::window_of_rows, kNotShown),
      Field("keys", &KeyLookupNode::keys, " keys {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive() const { return {.schema = rows, .kind = RelationKind::stream, .window = window_of_rows}; }
  std::optional<std::size_t> own_first() const { return std::nullopt; }
};

}  // namespace millrace::inline planner
