#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// The first rows of each group of rows with one key, in an order: rows whose rank is at most `most`. Rows that are
/// equal in the order stand as they came (streams) or by `row_key` (tables). The result is a table:
///   numbered       key: the row's number in its group (column `number`), then the input's key; the input's value
///   columns by_row         key: `row_key`; then all columns of the input as values else           `most` is 1: the
///   input's columns
struct TopRowsNode {
  NodePtr input;
  std::vector<SortKey> order;
  std::int64_t most = 1;
  RankFunction rank = RankFunction::row_number;
  std::string number;                // name of the column; empty: not numbered
  std::vector<ProjectItem> row_key;  // of a table: what tells its rows apart
  bool by_row = false;               // the result has the key of the table that is ranked
  bool emit_before = false;          // as of AggregateNode

  static constexpr NodeTraits kTraits{.name = "top_rows", .before = Before::always, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&TopRowsNode::input);
  static constexpr auto kFields = std::tuple(Field("order", &TopRowsNode::order, " by {}").fixed("order"),
                                             Field("most", &TopRowsNode::most, " limit {}").fixed("limit"),
                                             Field("rank", &TopRowsNode::rank, " {}").fixed("rank"),
                                             Field("number", &TopRowsNode::number, " {}").fixed("number"),
                                             Field("row_key", &TopRowsNode::row_key, " rows {}").fixed("key"),
                                             Field("by_row", &TopRowsNode::by_row, " by row").fixed("key"),
                                             Field("emit_before", &TopRowsNode::emit_before, " before"));
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "TopRows", .holds_result = true}};
  /// One row of each group, under the group's key: not where all rows of a table are kept.
  bool holds_result() const {
    return most == 1 && rank == RankFunction::row_number && !moves_rows() && row_key.empty();
  }

  bool numbered() const { return !number.empty(); }
  /// Rows stand elsewhere than where their key would have them.
  bool moves_rows() const { return numbered() || by_row; }

  Relation derive(const Relation& from) const {
    Relation made{.schema = {}, .kind = RelationKind::table, .window = {}};
    if (numbered()) made.schema.columns.push_back({.name = number, .type = Type::bigint(), .role = ColumnRole::key});
    if (by_row) {
      for (const auto& item : row_key) {
        made.schema.columns.push_back(item.column);
        made.schema.columns.back().role = ColumnRole::key;
      }
      made.append_as_values(from);
    } else {
      made.schema.columns.insert(made.schema.columns.end(), from.schema.columns.begin(), from.schema.columns.end());
    }
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return numbered() ? 1 : by_row ? row_key.size() : 0; }
};

}  // namespace millrace::inline planner
