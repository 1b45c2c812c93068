#pragma once

#include <memory>
#include <optional>

#include "planner/types/schema.h"

namespace millrace::inline planner {

struct PlanNode;
using NodePtr = std::shared_ptr<const PlanNode>;

/// What a plan node gives: columns, rows that stand for themselves (stream) or for the newest of their key (table), and
/// whether the key has a window.
struct Relation {
  Schema schema;
  RelationKind kind = RelationKind::stream;
  std::optional<WindowInfo> window = {};

  /// Adds the columns of another relation, all as value columns.
  void append_as_values(const Relation& from) {
    for (ColumnDef column : from.schema.columns) {
      column.role = ColumnRole::value;
      column.header_key.reset();
      schema.columns.push_back(std::move(column));
    }
  }
};

}  // namespace millrace::inline planner
