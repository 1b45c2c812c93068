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

}  // namespace millrace::inline exec::json_schema
