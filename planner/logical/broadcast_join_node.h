#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// Stream rows meet rows of a table of which every task holds all: the right input is a source that each task reads
/// whole. The stream stays where it lies and keeps its key. Expressions are over what the join gives.
/// Output schema: the left key columns, then all left columns, then all right columns.
struct BroadcastJoinNode {
  NodePtr left, right;
  JoinType type;                          // inner or left
  std::vector<ExprPtr> left_values = {};  // over left columns: equal to right_values, one by one
  std::vector<ExprPtr> right_values = {};
  ExprPtr condition = {};       // what must hold too; null: nothing
  std::int64_t most_bytes = 0;  // the table may take in each process

  static constexpr NodeTraits kTraits{
      .name = "broadcast_join", .before = Before::never, .upgrade = Upgrade::refused, .over_output = true};
  static constexpr auto kInputs = std::tuple(&BroadcastJoinNode::left, &BroadcastJoinNode::right);
  static constexpr auto kFields = std::tuple(Field("type", &BroadcastJoinNode::type, " {}"),
                                             Field("left_values", &BroadcastJoinNode::left_values, " on {}"),
                                             Field("right_values", &BroadcastJoinNode::right_values, " = {}"),
                                             Field("condition", &BroadcastJoinNode::condition, " where {}").optional(),
                                             Field("most_bytes", &BroadcastJoinNode::most_bytes, kNotShown));
  static constexpr std::array kStores{StoreRole{.role = "table", .step = "BroadcastJoin", .anew = true}};

  Relation derive(const Relation& from, const Relation& other) const {
    return joined_under_left(from, other, RelationKind::stream);
  }
  std::optional<std::size_t> own_first(const Relation& from, const Relation&) const { return from.schema.key_count(); }
};

}  // namespace millrace::inline planner
