#pragma once

#include <string>
#include <vector>

#include "exec/data/result.h"
#include "planner/types/schema.h"

/// JSON Schema as far as it decides SQL types, with the marks of Connect's converter.
namespace millrace::inline exec::json_schema {

/// The SQL type of a schema's values: the order of fields is `connect.index`, else that of the text. A user error for
/// what has no type, or holds itself.
Result<Type> sql_type(const SchemaText& schema);

/// The schema text for rows of these columns as ksqlDB writes it. `bare`: of the one column itself.
std::string text_for(const std::vector<ColumnDef>& columns, const std::string& full_name, bool bare);

/// How values of a SQL type are written so that a schema describes them: names of fields as it spells them, and a
/// STRUCT that stands for a choice of several types as the one value in it.
struct Shape {
  std::string name;             // of a column or field
  bool leave_out_null = false;  // the property may be absent, but not null
  bool choice = false;          // of the fields at most one has a value, which stands for the whole
  std::vector<Shape> children;  // as those of the type: element, key and value, fields
};
/// One for each column. A user error where the schema does not describe them.
Result<std::vector<Shape>> shapes_for(const SchemaText& schema, const std::vector<ColumnDef>& columns, bool bare);

}  // namespace millrace::inline exec::json_schema
