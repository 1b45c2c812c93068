#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Functions over the rows of each group of rows with one key, in an order. Rows that are equal in the order stand by
/// `row_key` (tables) or as they came (streams).
///   of a table    a table with the key `row_key`; then all columns of the input as values, then a column per call. A
///                 change of a row changes all rows whose values change with it.
///   of a stream   a stream: the columns of the input, then a column per call, over the rows that have come so far. The
///                 frames end at the row itself or before it, and begin at the first row of all or so many rows, or so
///                 much time, before it. `exact`: rows come in the order of their times, each is answered when all
///                 rows of its frames have come, and frames may end so many rows, or so much time, behind it.
struct OverNode {
  NodePtr input;
  std::vector<SortKey> order;
  std::vector<OverCall> calls;
  std::vector<ProjectItem> row_key;  // of a table: what tells its rows apart
  bool emit_before = false;          // as of AggregateNode
  bool exact = false;

  static constexpr NodeTraits kTraits{.name = "over", .before = Before::always, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&OverNode::input);
  static constexpr auto kFields = std::tuple(Field("order", &OverNode::order, " by {}").fixed("order"),
                                             Field("calls", &OverNode::calls, " {}").fixed("functions"),
                                             Field("row_key", &OverNode::row_key, " rows {}").fixed("key"),
                                             Field("emit_before", &OverNode::emit_before, " before"),
                                             Field("exact", &OverNode::exact, " exact").optional().fixed("exact"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "Over"}};

  Relation derive(const Relation& from) const {
    const bool table = from.kind == RelationKind::table;
    Relation made{.schema = {}, .kind = from.kind, .window = {}};
    if (table) {
      for (const auto& item : row_key) {
        made.schema.columns.push_back(item.column);
        made.schema.columns.back().role = ColumnRole::key;
      }
      made.append_as_values(from);
    } else {
      made.schema.columns = from.schema.columns;
    }
    for (const auto& call : calls) made.schema.columns.push_back(call.call.column);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation& from) const {
    return from.kind == RelationKind::table ? row_key.size() : 0;
  }
};

}  // namespace millrace::inline planner
