#pragma once

#include <string>

#include "server/statements/planned.h"

namespace millrace::inline server {

/// The query behind CREATE SOURCE TABLE: it writes nothing, but keeps the table's rows for pull queries. `source` is
/// not in the catalog yet. Throws SqlError.
QueryPtr make_source_table_query(const SourceDef& source, const std::string& id, const StatementContext& context);

}  // namespace millrace::inline server
