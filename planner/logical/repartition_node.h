#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// What the roles of topics begin with that have several readers: the same role stands for the same topic.
inline constexpr std::string_view kShared = "Shared";

/// Sends rows through an internal topic, partitioned by key. Inserted by a rule, never by the binder. Schema unchanged.
struct RepartitionNode {
  NodePtr input;
  std::string role;       // names the topic: `Aggregate-GroupBy`, `Join-left`, ...
  FormatInfo key_format;  // the bytes that decide the partition; values travel in our own ROW format
  int partitions = 0;     // 0: as many as the largest source of the input

  static constexpr NodeTraits kTraits{.name = "repartition"};
  static constexpr auto kInputs = std::tuple(&RepartitionNode::input);
  static constexpr auto kFields = std::tuple(Field("role", &RepartitionNode::role, " {}"),
                                             Field("key_format", &RepartitionNode::key_format, " key={}"),
                                             Field("partitions", &RepartitionNode::partitions, " partitions={}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

/// The plan has it in several places, each over an equal tree: it is done once, and all read its topic.
inline bool is_shared(const RepartitionNode& node) {
  return node.role.starts_with(kShared);
}

}  // namespace millrace::inline planner
