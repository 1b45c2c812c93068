#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// The newest rows of one key meet. Both inputs are keyed by the join key and co-partitioned (Rekey and Repartition
/// below see to it).
struct TableTableJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
  bool emit_before = false;  // as of AggregateNode
  Schema more_keys = {};     // key columns behind `key`

  static constexpr NodeTraits kTraits{
      .name = "table_table_join", .before = Before::never, .upgrade = Upgrade::refused, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&TableTableJoinNode::left, &TableTableJoinNode::right);
  static constexpr auto kFields =
      std::tuple(Field("type", &TableTableJoinNode::type, " {}"), Field("key", &TableTableJoinNode::key, " on {}"),
                 Field("emit_before", &TableTableJoinNode::emit_before, " before").optional(),
                 Field("more_keys", &TableTableJoinNode::more_keys, ", also on {}").optional());
  static constexpr std::array kStores{StoreRole{.role = "left", .step = "Join-left"},
                                      StoreRole{.role = "right", .step = "Join-right"}};

  Relation derive(const Relation& from, const Relation& other) const {
    return joined(key, more_keys, from, other, RelationKind::table);
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 1 + more_keys.size(); }
};

}  // namespace millrace::inline planner
