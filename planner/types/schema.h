#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/types/type.h"

namespace millrace::inline planner {

enum class ColumnRole : std::uint8_t { key, value, header };

struct ColumnDef {
  std::string name;
  Type type;
  ColumnRole role = ColumnRole::value;
  std::optional<std::string> header_key = std::nullopt;  // HEADER('k'); a header column without it holds all headers
  friend bool operator==(const ColumnDef&, const ColumnDef&) = default;
};

/// The columns of a relation: keys first, then values, then headers. Positions are what plans refer to;
/// `Batch::columns` has the same order. Pseudo columns (ROWTIME ...) are not part of a schema.
struct Schema {
  std::vector<ColumnDef> columns;

  std::size_t size() const { return columns.size(); }
  std::size_t key_count() const;
  std::vector<ColumnDef> keys() const;
  std::vector<ColumnDef> values() const;
  std::optional<std::size_t> find(std::string_view name) const;  // exact; first match
  /// `` `ID` STRING KEY, `C` BIGINT ``. `mark_keys` false leaves the KEY words out.
  std::string to_string(bool mark_keys = true) const;
  friend bool operator==(const Schema&, const Schema&) = default;
};

enum class RelationKind : std::uint8_t { stream, table };
enum class WindowType : std::uint8_t { tumbling, hopping, session };

/// The windowing of a relation's key.
struct WindowInfo {
  WindowType type = WindowType::tumbling;
  std::optional<std::int64_t> size_ms;  // absent for session windows
  friend bool operator==(const WindowInfo&, const WindowInfo&) = default;
};

/// A format as named in a WITH clause, with what it needs to know.
struct FormatInfo {
  std::string name;  // upper case: JSON, KAFKA, DELIMITED, NONE, ...; ROW is our own internal one
  char delimiter = ',';
  /// One-column values as a bare value (false) or inside an object (true). Keys of one column are always bare.
  bool wrap_single = true;
  friend bool operator==(const FormatInfo&, const FormatInfo&) = default;
};

/// Columns every row carries beside its schema.
enum class PseudoColumn : std::uint8_t { row_time, row_partition, row_offset, window_start, window_end };
std::string_view pseudo_column_name(PseudoColumn column);  // ROWTIME, ...
Type pseudo_column_type(PseudoColumn column);

}  // namespace millrace::inline planner
