#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Reads a whole table, or a range of its keys, from the store that keeps it: one snapshot of committed rows for each
/// partition, in the order of the keys. The rows stand for themselves. By an index: those rows alone whose values in
/// its columns begin with one of `prefixes`; `from` and `to` are then a range of the column behind a single one.
struct StoreScanNode {
  std::string table;  // as the catalog has it
  std::string query;  // that keeps the rows
  Schema rows;
  std::optional<WindowInfo> window_of_rows = {};
  std::vector<WindowLimit> limits = {};
  std::vector<ExprPtr> from = {}, to = {};  // the range of a single STRING or BYTES key, inclusive; empty: open
  std::string index = {};
  std::vector<std::size_t> index_columns = {};  // of the table
  std::vector<KeyAccess> prefixes = {};

  static constexpr NodeTraits kTraits{.name = "store_scan", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple<>();
  static constexpr auto kFields = std::tuple(
      Field("table", &StoreScanNode::table, " {}"), Field("query", &StoreScanNode::query, " kept by {}"),
      Field("rows", &StoreScanNode::rows, kNotShown), Field("window", &StoreScanNode::window_of_rows, kNotShown),
      Field("limits", &StoreScanNode::limits, " {}"), Field("from", &StoreScanNode::from, " from {}"),
      Field("to", &StoreScanNode::to, " to {}"), Field("index", &StoreScanNode::index, " by index {}").optional(),
      Field("index_columns", &StoreScanNode::index_columns, kNotShown).optional(),
      Field("prefixes", &StoreScanNode::prefixes, " keys {}").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive() const { return {.schema = rows, .kind = RelationKind::stream, .window = window_of_rows}; }
  std::optional<std::size_t> own_first() const { return std::nullopt; }
};

}  // namespace millrace::inline planner
