#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// Rows of two streams meet when their times are close enough, or whatever their times are. Both inputs are keyed by
/// the join key and co-partitioned (Rekey and Repartition below see to it).
struct StreamStreamJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
  std::optional<std::int64_t> before_ms, after_ms, grace_ms;  // absent: WITHIN UNBOUNDED, inner joins only
  bool eager = false;                                         // unmatched rows go out at once, even if a match follows
  std::optional<std::int64_t> ttl_ms = {};  // of WITHIN UNBOUNDED: how long rows are kept, in stream time
  Schema more_keys = {};                    // key columns behind `key`
  bool final = false;                       // EMIT FINAL: rows that come behind the grace are dropped
  /// EMIT FINAL: the side's rows are final results of windows of that size; its time says which windows are complete,
  /// so that none of its rows is late, and what they may meet is kept until then.
  std::optional<std::int64_t> left_window_ms = {}, right_window_ms = {};
  /// Both are, and rows meet those of the same window: this key column holds its end, which is their time.
  std::optional<std::int64_t> window_key = {};
  ExprPtr condition = {};  // over what it gives; rows of outer joins match where it holds too. Null: none

  static constexpr NodeTraits kTraits{
      .name = "stream_stream_join", .before = Before::never, .upgrade = Upgrade::refused, .over_output = true};
  static constexpr auto kInputs = std::tuple(&StreamStreamJoinNode::left, &StreamStreamJoinNode::right);
  static constexpr auto kFields = std::tuple(
      Field("type", &StreamStreamJoinNode::type, " {}"), Field("key", &StreamStreamJoinNode::key, " on {}"),
      Field("before", &StreamStreamJoinNode::before_ms, " within {}"),
      Field("after", &StreamStreamJoinNode::after_ms, "/{} ms"),
      Field("grace", &StreamStreamJoinNode::grace_ms, ", grace {} ms"),
      Field("eager", &StreamStreamJoinNode::eager, " eager"),
      Field("ttl", &StreamStreamJoinNode::ttl_ms, " ttl {} ms").optional(),
      Field("more_keys", &StreamStreamJoinNode::more_keys, ", also on {}").optional(),
      Field("final", &StreamStreamJoinNode::final, " final").optional(),
      Field("left_window", &StreamStreamJoinNode::left_window_ms, ", left of windows of {} ms").optional(),
      Field("right_window", &StreamStreamJoinNode::right_window_ms, ", right of windows of {} ms").optional(),
      Field("window_key", &StreamStreamJoinNode::window_key, " by window {}").optional(),
      Field("condition", &StreamStreamJoinNode::condition, " where {}").optional());
  static constexpr std::array kStores{
      StoreRole{.role = "left", .step = "Join-left", .layout = StoreLayout::timed_rows},
      StoreRole{.role = "right", .step = "Join-right", .layout = StoreLayout::timed_rows}};

  bool unbounded() const { return !before_ms; }
  /// How long a row may still be of use to the other side, in stream time; absent: for ever.
  std::optional<std::int64_t> retention_ms() const {
    if (unbounded()) return ttl_ms;
    return *before_ms + *after_ms + *grace_ms + left_window_ms.value_or(0) + right_window_ms.value_or(0);
  }
  std::string remark() const { return unbounded() ? " within unbounded" : ""; }

  Relation derive(const Relation& from, const Relation& other) const {
    return joined(key, more_keys, from, other, RelationKind::stream);
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 1 + more_keys.size(); }
};

}  // namespace millrace::inline planner
