#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

/// A schema as a schema registry keeps it.
struct SchemaText {
  std::string text;
  /// What the text refers to, directly and over others: names as it imports them, each after what it needs itself.
  std::vector<std::pair<std::string, std::string>> imports;
  friend bool operator==(const SchemaText&, const SchemaText&) = default;
};
/// The registered schema that keys or values are written by. Immutable.
struct WriterSchema {
  std::int32_t id = 0;
  SchemaText schema;
  friend bool operator==(const WriterSchema&, const WriterSchema&) = default;
};

/// How PROTOBUF tells NULL from the default of a type: not at all, by `optional`, by wrapper messages.
enum class NullableRepresentation : std::uint8_t { none, optional, wrapper };

/// How a schema's subject is called: after the topic and the part, after the record, or after both.
enum class SubjectNaming : std::uint8_t { topic, record, topic_record };

/// A format as named in a WITH clause, with what it needs to know.
struct FormatInfo {
  std::string name;  // upper case: JSON, KAFKA, DELIMITED, NONE, ...; ROW is our own internal one
  char delimiter = ',';
  /// One-column values as a bare value (false) or inside an object (true). Keys of one column are bare unless the
  /// format wraps them (FormatDef::key_wraps_single).
  bool wrap_single = true;
  NullableRepresentation nullable = NullableRepresentation::none;
  std::string full_name = {};                            // of the record or message; empty: the usual one
  SubjectNaming naming = SubjectNaming::topic;           // not topic: full_name is given
  std::shared_ptr<const WriterSchema> schema = nullptr;  // formats with a registry; null: not known (yet)

  friend bool operator==(const FormatInfo& a, const FormatInfo& b) {
    const bool same_schema = a.schema == b.schema || (a.schema && b.schema && *a.schema == *b.schema);
    return same_schema && a.name == b.name && a.delimiter == b.delimiter && a.wrap_single == b.wrap_single &&
           a.nullable == b.nullable && a.full_name == b.full_name && a.naming == b.naming;
  }
};

/// Columns every row carries beside its schema.
enum class PseudoColumn : std::uint8_t { row_time, row_partition, row_offset, window_start, window_end };
std::string_view pseudo_column_name(PseudoColumn column);  // ROWTIME, ...
Type pseudo_column_type(PseudoColumn column);

}  // namespace millrace::inline planner
