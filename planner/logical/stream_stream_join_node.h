#pragma once

#include "planner/logical/join_relation.h"

namespace millrace::inline planner {

/// Rows of two streams meet when their times are close enough. Both inputs are keyed by the join key and co-partitioned
/// (Rekey and Repartition below see to it).
struct StreamStreamJoinNode {
  NodePtr left, right;
  JoinType type;
  ColumnDef key;
  std::int64_t before_ms, after_ms;
  std::int64_t grace_ms;
  bool eager = false;  // unmatched rows go out at once, even if a match follows

  static constexpr NodeTraits kTraits{
      .name = "stream_stream_join", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&StreamStreamJoinNode::left, &StreamStreamJoinNode::right);
  static constexpr auto kFields =
      std::tuple(Field("type", &StreamStreamJoinNode::type, " {}"), Field("key", &StreamStreamJoinNode::key, " on {}"),
                 Field("before", &StreamStreamJoinNode::before_ms, " within {}"),
                 Field("after", &StreamStreamJoinNode::after_ms, "/{} ms"),
                 Field("grace", &StreamStreamJoinNode::grace_ms, ", grace {} ms"),
                 Field("eager", &StreamStreamJoinNode::eager, " eager"));
  static constexpr std::array kStores{
      StoreRole{.role = "left", .step = "Join-left", .layout = StoreLayout::timed_rows},
      StoreRole{.role = "right", .step = "Join-right", .layout = StoreLayout::timed_rows}};

  /// How long a row may still be of use to the other side, in stream time.
  std::int64_t retention_ms() const { return before_ms + after_ms + grace_ms; }

  Relation derive(const Relation& from, const Relation& other) const {
    return joined(key, from, other, RelationKind::stream);
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 1; }
};

}  // namespace millrace::inline planner
