#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// LATE INTO: stands below an operator and passes its rows on. Those that the operator finds late go to a stream: the
/// items, how late the row was, and the bounds of the window that it was late for.
struct LateNode {
  NodePtr input;
  std::vector<ProjectItem> items;
  std::string name;  // the stream
  std::string topic;
  FormatInfo key_format, value_format;
  std::optional<TimestampColumn> timestamp;
  bool windows = false;  // with bounds of windows

  static constexpr std::string_view kBy = "LATE_BY", kStart = "LATE_WINDOWSTART", kEnd = "LATE_WINDOWEND";
  static constexpr NodeTraits kTraits{.name = "late", .upgrade = Upgrade::free};
  static constexpr auto kInputs = std::tuple(&LateNode::input);
  static constexpr auto kFields = std::tuple(
      Field("items", &LateNode::items, kNotShown), Field("name", &LateNode::name, " into {}"),
      Field("topic", &LateNode::topic, " topic={}"), Field("key_format", &LateNode::key_format, " {}"),
      Field("value_format", &LateNode::value_format, "/{}"), Field("timestamp", &LateNode::timestamp, kNotShown),
      Field("windows", &LateNode::windows, " with windows").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }

  /// What the stream holds.
  Relation written() const {
    Relation made{.schema = {}, .kind = RelationKind::stream, .window = {}};
    for (const auto& item : items) made.schema.columns.push_back(item.column);
    const auto add = [&](std::string_view column) {
      made.schema.columns.push_back({.name = std::string(column), .type = Type::bigint()});
    };
    add(kBy);
    if (windows) add(kStart), add(kEnd);
    return made;
  }
};

}  // namespace millrace::inline planner
