#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Writes to a topic. Its input's schema is what is written. `update_before` rows are not written to a topic that is
/// not internal.
struct SinkNode {
  NodePtr input;
  std::string name;  // the stream or table
  std::string topic;
  FormatInfo key_format, value_format;
  std::optional<TimestampColumn> timestamp;
  bool internal = false;  // a repartition topic: rows of all kinds are written, each with its kind
  bool timed = false;     // and how far time has come for them: somebody behind it gives out what is complete
  bool aligned = false;   // of the rows written too: somebody behind it lives by that alone

  static constexpr NodeTraits kTraits{.name = "sink"};
  static constexpr auto kInputs = std::tuple(&SinkNode::input);
  static constexpr auto kFields = std::tuple(
      Field("internal", &SinkNode::internal, " (internal)"), Field("name", &SinkNode::name, " {}"),
      Field("topic", &SinkNode::topic, " topic={}"), Field("key_format", &SinkNode::key_format, " {}"),
      Field("value_format", &SinkNode::value_format, "/{}"), Field("timestamp", &SinkNode::timestamp, kNotShown),
      Field("timed", &SinkNode::timed, " timed").optional(),
      Field("aligned", &SinkNode::aligned, " aligned").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
