#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/types/schema.h"

namespace millrace::inline planner {

/// What a format can carry: one row of formats.inc for each, all that the planner knows of it. Reading and writing is
/// the business of exec/formats.
struct FormatDef {
  std::string_view name;

  // Shape.
  bool key_wraps_single = false;  // one-column keys are messages
  bool can_wrap = false;          // one-column values inside an object
  bool can_unwrap = false;        // one-column values bare
  bool wraps_by_default = false;
  std::size_t max_columns = SIZE_MAX;
  bool nested = true;               // ARRAY, MAP, STRUCT
  bool nested_lists = true;         // an ARRAY or MAP directly inside an ARRAY or MAP
  bool kafka_types_only = false;    // INTEGER, BIGINT, DOUBLE, STRING, BYTES
  std::string_view map_owner = {};  // who takes only MAPs with STRING keys, as messages name it; empty: any key
  bool for_keys = false;            // values in it are neither joined nor grouped
  bool avro_names = false;          // columns and fields must have names that Avro allows

  // WITH properties that it knows.
  bool has_delimiter = false;
  bool has_full_name = false;
  bool has_nullable = false;

  /// Its schemas are kept in a registry: columns can be inferred and a writer's schema has an id.
  bool registry = false;

  /// What is used where neither a statement nor a setting names a format: `bare` for a key of one column, `object` for
  /// what `bare` cannot hold.
  enum class Fallback : std::uint8_t { none, bare, object };
  Fallback fallback = Fallback::none;

  /// Values are changes of a table's rows rather than rows: only tables are read in it, nothing is written. What
  /// inherits it writes this one. Empty: an ordinary format.
  std::string_view written_as = {};
};

/// Null when the name is unknown. Precondition: upper case.
const FormatDef* find_format(std::string_view name);

/// Why the format cannot hold the columns; empty when it can.
std::string refusal(const FormatDef& format, const std::vector<ColumnDef>& columns);

/// Whether it is known how to write in this format: one with a registry needs a schema, one of changes is only read.
bool can_write(const FormatInfo& format);
/// Whether nothing is ever written in this format.
bool is_read_only(const FormatInfo& format);

/// Whether it carries nothing at all: there is neither text nor column.
bool holds_nothing(const FormatInfo& format);
/// The format of that kind.
FormatInfo empty_format();

/// The formats that are used where none is named.
FormatInfo bare_format();
FormatInfo object_format();
/// Of the two the first that can hold the keys.
FormatInfo fallback_format(const std::vector<ColumnDef>& keys);

/// Whether the one key column of a relation is bare.
bool has_bare_key(const FormatInfo& format, std::size_t key_columns);

}  // namespace millrace::inline planner
