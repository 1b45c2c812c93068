#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// Stream rows meet the version of the table row of their key that was there at a time which each row says: FOR
/// SYSTEM_TIME AS OF. Both inputs are keyed by the join key and co-partitioned, as of StreamTableJoinNode. Versions go
/// by the time of the table's rows, in whatever order these come; a removal is a version too.
struct AsOfJoinNode {
  NodePtr left, right;
  JoinType type;  // inner or left
  ColumnDef key;
  ExprPtr time;  // BIGINT or TIMESTAMP, over what it gives, of the left columns
  std::int64_t history_ms = 0;
  /// How long a row waits for versions that may yet come, in stream time; absent: it is answered at once.
  std::optional<std::int64_t> grace_ms = {};
  Schema more_keys = {};   // key columns behind `key`
  ExprPtr condition = {};  // over what it gives; rows of outer joins match where it holds too. Null: none

  static constexpr NodeTraits kTraits{
      .name = "as_of_join", .before = Before::never, .upgrade = Upgrade::refused, .over_output = true};
  static constexpr auto kInputs = std::tuple(&AsOfJoinNode::left, &AsOfJoinNode::right);
  static constexpr auto kFields = std::tuple(
      Field("type", &AsOfJoinNode::type, " {}"), Field("key", &AsOfJoinNode::key, " on {}"),
      Field("more_keys", &AsOfJoinNode::more_keys, ", also on {}").optional(),
      Field("time", &AsOfJoinNode::time, " as of {}"), Field("history", &AsOfJoinNode::history_ms, " history {} ms"),
      Field("grace", &AsOfJoinNode::grace_ms, " grace {} ms").optional(),
      Field("condition", &AsOfJoinNode::condition, " where {}").optional());
  static constexpr std::array kStores{
      StoreRole{.role = "versions", .step = "AsOfJoin-versions", .layout = StoreLayout::timed_rows},
      StoreRole{.role = "due", .step = "AsOfJoin-due", .layout = StoreLayout::timed_rows},
      StoreRole{.role = "waiting", .step = "AsOfJoin-waiting", .layout = StoreLayout::timed_rows}};

  bool keeps(const StoreRole& role) const { return role.role != "waiting" || grace_ms; }

  Relation derive(const Relation& from, const Relation& other) const {
    return joined(key, more_keys, from, other, RelationKind::stream);
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 1 + more_keys.size(); }
};

}  // namespace millrace::inline planner
