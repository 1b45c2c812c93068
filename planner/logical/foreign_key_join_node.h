#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// right's key = foreign_key(left row), and more_keys where it has several columns. Not co-partitioned; output keyed by
/// the left key. Output schema: the left key columns, then all left columns, then all right columns.
struct ForeignKeyJoinNode {
  NodePtr left, right;
  JoinType type;  // inner or left
  ExprPtr foreign_key;
  bool emit_before = false;  // as of AggregateNode
  std::vector<ExprPtr> more_keys = {};

  static constexpr NodeTraits kTraits{
      .name = "foreign_key_join", .before = Before::never, .upgrade = Upgrade::refused, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&ForeignKeyJoinNode::left, &ForeignKeyJoinNode::right);
  static constexpr auto kFields = std::tuple(
      Field("type", &ForeignKeyJoinNode::type, " {}"), Field("foreign_key", &ForeignKeyJoinNode::foreign_key, " by {}"),
      Field("emit_before", &ForeignKeyJoinNode::emit_before, " before").optional(),
      Field("more_keys", &ForeignKeyJoinNode::more_keys, ", {}").optional());
  static constexpr std::array kStores{StoreRole{.role = "left", .step = "ForeignKeyJoin-left"},
                                      StoreRole{.role = "right", .step = "ForeignKeyJoin-right"}};

  Relation derive(const Relation& from, const Relation& other) const {
    return joined_under_left(from, other, RelationKind::table);
  }
  std::optional<std::size_t> own_first(const Relation& from, const Relation&) const { return from.schema.key_count(); }
};

}  // namespace millrace::inline planner
