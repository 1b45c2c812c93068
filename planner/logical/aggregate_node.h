#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Groups by the key of its input (a Rekey stands below unless the key is already right). Output schema: the key
/// columns, then one value column per call. With a window the key is windowed and the output carries window bounds.
/// A table input is undone and redone (before rows needed).
struct AggregateNode {
  NodePtr input;
  std::vector<AggregateCall> calls;
  std::optional<WindowSpec> window;
  EmitPolicy emit = EmitPolicy::changes;
  bool global = false;    // no GROUP BY: one group, transient queries only
  bool combined = false;  // its rows come from a Combine
  bool stream = false;    // final results, as a stream: none is taken back
  /// EMIT FINAL over results of windows: a group is given out when the input's time has come to the value of this key
  /// column, plus `closes_after` ms: the end of the group's window. Absent: windows of its own, or no final results.
  std::optional<std::int64_t> closing_key = {};
  std::int64_t closes_after = 0;
  std::int64_t closing_size = 1;  // of these windows, about
  /// Set by the physical planner: an operator above needs insert, update_before/update_after, remove.
  bool emit_before = false;

  static constexpr NodeTraits kTraits{.name = "aggregate", .before = Before::always, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&AggregateNode::input);
  static constexpr auto kFields =
      std::tuple(Field("calls", &AggregateNode::calls, " {}").fixed("aggregationFunctions"),
                 Field("stream", &AggregateNode::stream, " stream").optional(),
                 Field("combined", &AggregateNode::combined, " combined").optional(),
                 Field("global", &AggregateNode::global, " global"),
                 Field("window", &AggregateNode::window, " {}").fixed("windowExpression"),
                 Field("final", &AggregateNode::emit, " {}").fixed("emitPolicy"),
                 Field("emit_before", &AggregateNode::emit_before, " before"),
                 Field("closing_key", &AggregateNode::closing_key, " closing by key {}").optional().fixed("emitPolicy"),
                 Field("closes_after", &AggregateNode::closes_after, kNotShown).optional(),
                 Field("closing_size", &AggregateNode::closing_size, kNotShown).optional());
  static constexpr std::string_view kDistinct = "distinct";
  static constexpr std::array kStores{StoreRole{.role = "groups",
                                                .step = "Aggregate-Aggregate-Materialize",
                                                .layout = StoreLayout::groups,
                                                .holds_result = true},
                                      StoreRole{.role = kDistinct, .step = "Aggregate-Distinct"}};
  /// What is kept for final results is not final yet.
  bool holds_result() const { return emit != EmitPolicy::final; }
  /// What DISTINCT calls have seen lies in a store of its own, but for sessions, which take it with them.
  bool keeps(const StoreRole& role) const {
    return role.role != kDistinct || (any_distinct(calls) && !(window && window->type == WindowType::session));
  }

  Relation derive(const Relation& from) const {
    const RelationKind kind = stream ? RelationKind::stream : RelationKind::table;
    Relation made{.schema = {}, .kind = kind, .window = from.window};
    if (!global) made.schema.columns = from.schema.keys();
    for (const auto& call : calls) made.schema.columns.push_back(call.column);
    if (window) {
      made.window = WindowInfo{.type = window->type, .size_ms = window->size_ms};
      if (window->type == WindowType::session) made.window->size_ms.reset();
    }
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return std::nullopt; }
};

}  // namespace millrace::inline planner
