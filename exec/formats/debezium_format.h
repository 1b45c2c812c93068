#pragma once

#include <memory>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::inline exec {

/// DEBEZIUM_JSON, behind make_decoder(): the row after a change, with the schema beside it or without; a plain object
/// is a row, or a key.
std::unique_ptr<Decoder> make_debezium_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted);

}  // namespace millrace::inline exec
