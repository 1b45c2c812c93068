#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// The first rows of each group of final results of windows, in an order: rows whose rank is at most `most`, given
/// once, first to last, when the input's time has come to the end of the group's window. Rows that are equal in the
/// order stand as they came. Key: the row's rank (column `number`), where that is shown, then the input's.
struct CloseRanksNode {
  NodePtr input;
  std::vector<SortKey> order;
  std::int64_t most = 1;
  RankFunction rank = RankFunction::row_number;
  std::string number;  // name of the column; empty: not shown
  /// As of AggregateNode.
  std::int64_t closing_key = 0, closes_after = 0, closing_size = 1;
  bool table = false;  // else the result is a stream

  static constexpr NodeTraits kTraits{.name = "close_ranks", .before = Before::never};
  static constexpr auto kInputs = std::tuple(&CloseRanksNode::input);
  static constexpr auto kFields =
      std::tuple(Field("order", &CloseRanksNode::order, " by {}").fixed("order"),
                 Field("most", &CloseRanksNode::most, " limit {}").fixed("limit"),
                 Field("rank", &CloseRanksNode::rank, " {}").fixed("rank"),
                 Field("number", &CloseRanksNode::number, " {}").fixed("number"),
                 Field("closing_key", &CloseRanksNode::closing_key, " closing by key {}").fixed("key"),
                 Field("closes_after", &CloseRanksNode::closes_after, kNotShown),
                 Field("closing_size", &CloseRanksNode::closing_size, kNotShown),
                 Field("table", &CloseRanksNode::table, " table").optional());
  static constexpr std::array kStores{StoreRole{.role = "rows", .step = "CloseRanks"}};

  bool numbered() const { return !number.empty(); }

  Relation derive(const Relation& from) const {
    Relation made{.schema = {}, .kind = table ? RelationKind::table : RelationKind::stream, .window = {}};
    if (numbered()) made.schema.columns.push_back({.name = number, .type = Type::bigint(), .role = ColumnRole::key});
    made.schema.columns.insert(made.schema.columns.end(), from.schema.columns.begin(), from.schema.columns.end());
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return numbered() ? 1 : 0; }
};

}  // namespace millrace::inline planner
