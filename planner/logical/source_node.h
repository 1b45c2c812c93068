#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Reads a topic. Output schema: the declared columns listed in `read`, in that order (all of them until
/// column pruning).
struct SourceNode {
  std::string name;  // the stream or table; empty for an internal topic
  std::string topic;
  Schema declared;
  std::vector<std::size_t> read;
  FormatInfo key_format, value_format;
  std::optional<TimestampColumn> timestamp;
  /// A repartition topic of this query: truncated behind the reader, always from the start. Its values carry the row's
  /// kind.
  bool internal = false;
  int partitions = 0;  // of the topic as the catalog knows it; 0: unknown
  RelationKind kind = RelationKind::stream;
  std::optional<WindowInfo> window = {};
  std::optional<std::int64_t> retention_ms = {};  // of a windowed table: how far behind the newest window rows matter
  std::optional<std::int64_t> idle_ms = {};       // stream time goes on when it has been quiet for so long
  bool timed = false;                             // an internal topic that carries how far time has come for its rows
  bool aligned = false;    // and its rows do not move stream time, only what their writers say of it does
  bool broadcast = false;  // every task reads all partitions, from the start, before anything else
  bool ready = false;      // nothing else of a task is read before what this one held when the query was made

  static constexpr NodeTraits kTraits{.name = "source"};
  static constexpr auto kInputs = std::tuple<>();
  static constexpr auto kFields = std::tuple(
      Field("internal", &SourceNode::internal, " (internal)"),
      Field("name", &SourceNode::name, " {}").fixed("sourceName"),
      Field("topic", &SourceNode::topic, " topic={}").fixed("topicName"),
      Field("declared", &SourceNode::declared, kNotShown), Field("read", &SourceNode::read, kNotShown),
      Field("key_format", &SourceNode::key_format, " {}"), Field("value_format", &SourceNode::value_format, "/{}"),
      Field("timestamp", &SourceNode::timestamp, kNotShown), Field("partitions", &SourceNode::partitions, kNotShown),
      Field("kind", &SourceNode::kind, kNotShown), Field("window", &SourceNode::window, kNotShown),
      Field("retention", &SourceNode::retention_ms, kNotShown).optional(),
      Field("broadcast", &SourceNode::broadcast, " broadcast").optional(),
      Field("ready", &SourceNode::ready, " ready").optional(),
      Field("idle", &SourceNode::idle_ms, " idle after {} ms").optional(),
      Field("timed", &SourceNode::timed, " timed").optional(),
      Field("aligned", &SourceNode::aligned, " aligned").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive() const {
    Relation made{.schema = {}, .kind = kind, .window = window};
    for (const std::size_t column : read) made.schema.columns.push_back(declared.columns.at(column));
    return made;
  }
  std::optional<std::size_t> own_first() const { return std::nullopt; }
  std::string remark() const {
    if (read.size() == declared.size()) return {};
    return " reads " + std::to_string(read.size()) + " of " + std::to_string(declared.size());
  }
};

}  // namespace millrace::inline planner
