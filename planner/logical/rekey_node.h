#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives rows a new key. Output schema: `keys` (role key), then every input column as a value column, in
/// order. On a table both before and after rows are re-keyed, so the input must give before rows.
/// No rows move: `RepartitionNode` above it moves them where the operator above needs it. An empty key list makes
/// the relation keyless (PARTITION BY NULL). `window`: the new key has a window, whose bounds are the values of
/// `window_start` and `window_end` (BIGINT); absent: none.
struct RekeyNode {
  NodePtr input;
  std::vector<ProjectItem> keys;
  NullKey null_key = NullKey::keep;
  std::optional<WindowInfo> window = {};
  ExprPtr window_start = {}, window_end = {};

  static constexpr NodeTraits kTraits{.name = "rekey", .before = Before::always};
  static constexpr auto kInputs = std::tuple(&RekeyNode::input);
  static constexpr auto kFields = std::tuple(Field("keys", &RekeyNode::keys, " {}").fixed("keyExpression"),
                                             Field("drop_null", &RekeyNode::null_key, kNotShown),
                                             Field("window", &RekeyNode::window, kNotShown).optional(),
                                             Field("window_start", &RekeyNode::window_start, " window {}").optional(),
                                             Field("window_end", &RekeyNode::window_end, "..{}").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made{.schema = {}, .kind = from.kind, .window = window};  // the window below belonged to the old key
    for (const auto& item : keys) {
      made.schema.columns.push_back(item.column);
      made.schema.columns.back().role = ColumnRole::key;
    }
    made.append_as_values(from);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return keys.size(); }
  std::string remark() const { return keys.empty() ? " no key" : ""; }
};

}  // namespace millrace::inline planner
