#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// What all joins of two co-partitioned relations give: the key columns, then all columns of the left input, then all
/// of the right one, as value columns. The key of an output row is that of whichever side exists.
inline Relation joined(const ColumnDef& key, const Schema& more_keys, const Relation& left, const Relation& right,
                       RelationKind kind) {
  Relation made{.schema = more_keys, .kind = kind, .window = left.window};
  made.schema.columns.insert(made.schema.columns.begin(), key);
  for (ColumnDef& column : made.schema.columns) column.role = ColumnRole::key;
  made.append_as_values(left);
  made.append_as_values(right);
  return made;
}

/// What joins give that keep the key of the left input: its key columns, then the columns of both as above.
inline Relation joined_under_left(const Relation& left, const Relation& right, RelationKind kind) {
  Relation made{.schema = {}, .kind = kind, .window = left.window};
  made.schema.columns = left.schema.keys();
  made.append_as_values(left);
  made.append_as_values(right);
  return made;
}

}  // namespace millrace::inline planner
