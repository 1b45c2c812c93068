#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// Stream rows meet the newest table row of their key. Both inputs are keyed by the join key and co-partitioned (Rekey
/// and Repartition below see to it).
struct StreamTableJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
  Schema more_keys = {};   // key columns behind `key`
  ExprPtr condition = {};  // over what it gives; rows of outer joins match where it holds too. Null: none

  static constexpr NodeTraits kTraits{
      .name = "stream_table_join", .before = Before::never, .upgrade = Upgrade::refused, .over_output = true};
  static constexpr auto kInputs = std::tuple(&StreamTableJoinNode::left, &StreamTableJoinNode::right);
  static constexpr auto kFields =
      std::tuple(Field("type", &StreamTableJoinNode::type, " {}"), Field("key", &StreamTableJoinNode::key, " on {}"),
                 Field("more_keys", &StreamTableJoinNode::more_keys, ", also on {}").optional(),
                 Field("condition", &StreamTableJoinNode::condition, " where {}").optional());
  static constexpr std::array kStores{StoreRole{.role = "table", .step = "Join-table"}};

  Relation derive(const Relation& from, const Relation& other) const {
    return joined(key, more_keys, from, other, RelationKind::stream);
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 1 + more_keys.size(); }
};

}  // namespace millrace::inline planner
