#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Rows of two tables meet where their values are equal, any number of each. The result's key is that of the left row
/// and that of the right one; the columns of an absent row are NULL. Both inputs lie in one partition. Expressions are
/// over what the join gives.
/// Output schema: the left key columns, the right ones, then all left columns, then all right columns.
struct PairJoinNode {
  NodePtr left, right;
  JoinType type;
  std::vector<ExprPtr> left_values = {};  // over left columns: equal to right_values, one by one
  std::vector<ExprPtr> right_values = {};
  bool emit_before = false;  // as of AggregateNode

  static constexpr NodeTraits kTraits{.name = "pair_join",
                                      .before = Before::never,
                                      .upgrade = Upgrade::refused,
                                      .knows_old_rows = true,
                                      .over_output = true};
  static constexpr auto kInputs = std::tuple(&PairJoinNode::left, &PairJoinNode::right);
  static constexpr auto kFields =
      std::tuple(Field("type", &PairJoinNode::type, " {}"), Field("left_values", &PairJoinNode::left_values, " on {}"),
                 Field("right_values", &PairJoinNode::right_values, " = {}"),
                 Field("emit_before", &PairJoinNode::emit_before, " before").optional());
  static constexpr std::array kStores{StoreRole{.role = "left", .step = "PairJoin-left"},
                                      StoreRole{.role = "right", .step = "PairJoin-right"}};

  Relation derive(const Relation& from, const Relation& other) const {
    Relation made{.schema = {}, .kind = RelationKind::table};
    made.schema.columns = from.schema.keys();
    for (const ColumnDef& key : other.schema.keys()) made.schema.columns.push_back(key);
    made.append_as_values(from);
    made.append_as_values(other);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation& from, const Relation& other) const {
    return from.schema.key_count() + other.schema.key_count();
  }
};

}  // namespace millrace::inline planner
