#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "planner/types/schema.h"

/// Avro schemas, with the logical types and the marks of Connect's converter that decide types.
namespace millrace::inline exec::avro {

enum class Kind : std::uint8_t {
  null,
  boolean,
  int_,
  long_,
  float_,
  double_,
  bytes,
  string,
  fixed,
  enumeration,
  record,
  array,
  map,
  union_,
};
enum class Logical : std::uint8_t { none, decimal, date, time_millis, time_micros, timestamp_millis, timestamp_micros };

struct Node;
struct Field {
  std::string name;
  std::vector<std::string> aliases;
  const Node* type = nullptr;
  std::optional<boost::json::value> otherwise;  // "default"
};

/// Nodes refer to each other, in circles where a record holds itself.
struct Node {
  Kind kind = Kind::null;
  Logical logical = Logical::none;
  int precision = 0, scale = 0;       // decimal
  std::size_t size = 0;               // fixed
  std::string name;                   // full name of record, enum, fixed
  std::vector<std::string> aliases;   // full names too
  std::string connect_name;           // of an int or long that is not logical: what Connect calls its type
  std::vector<std::string> symbols;   // enum
  std::string default_symbol;         // enum, for symbols that a reader does not know; empty: none
  std::vector<Field> fields;          // record
  const Node* element = nullptr;      // array items, map values
  std::vector<const Node*> branches;  // union
  bool map_entries = false;           // an array of {key, value} records that stands for a MAP

  const Field* find(std::string_view field) const;  // exact, else as names in capitals; null: no such
  /// Of a union of null and one type: that type; of a union of one: it; else null.
  const Node* only_branch() const;
  bool nullable() const;  // null, or a union with it
};

struct Schema {
  std::deque<Node> nodes;  // stable addresses
  const Node* root = nullptr;
};
using SchemaPtr = std::shared_ptr<const Schema>;

/// A user error says what is wrong.
Result<SchemaPtr> parse(const SchemaText& schema);
/// What a schema needs to be registered, and readers need not ask: names that Avro allows, fields and branches only
/// once, defaults that fit.
Status validate(const Schema& schema);

/// The SQL type of a schema's values. Fails for records that hold themselves and for null alone.
Result<Type> sql_type(const Node& node);

/// Whether the column names of a union of several types have this branch: as Connect calls its fields.
std::string branch_name(const Node& branch);

/// The schema text for rows of these columns as ksqlDB writes it. `bare`: of the one column itself. `nullable`: a bare
/// value may be null.
std::string text_for(const std::vector<ColumnDef>& columns, const std::string& full_name, bool bare, bool nullable);

}  // namespace millrace::inline exec::avro
