#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Reads the topic of a stream or table from its beginning to the end that it has when the query begins: a pull query
/// on what no query keeps. Rows come as the topic has them; on a table that is every change.
struct TopicScanNode {
  std::string name;  // as the catalog has it
  Schema rows;
  RelationKind kind = RelationKind::stream;
  std::optional<WindowInfo> window_of_rows = {};
  bool versions = false;  // of a table that has them: also rows that are older than others that came before

  static constexpr NodeTraits kTraits{.name = "topic_scan", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple<>();
  static constexpr auto kFields = std::tuple(
      Field("name", &TopicScanNode::name, " {}"), Field("rows", &TopicScanNode::rows, kNotShown),
      Field("kind", &TopicScanNode::kind, kNotShown), Field("window", &TopicScanNode::window_of_rows, kNotShown),
      Field("versions", &TopicScanNode::versions, " versions").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive() const { return {.schema = rows, .kind = kind, .window = window_of_rows}; }
  std::optional<std::size_t> own_first() const { return std::nullopt; }
};

}  // namespace millrace::inline planner
