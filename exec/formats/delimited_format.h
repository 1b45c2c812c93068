#pragma once

#include <memory>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::inline exec {

// DELIMITED: one line of CSV, columns by position. Behind make_decoder() and make_encoder().

std::unique_ptr<Decoder> make_delimited_decoder(char delimiter, std::vector<ColumnDef> columns,
                                                std::vector<std::size_t> wanted);
std::unique_ptr<Encoder> make_delimited_encoder(char delimiter, std::vector<ColumnDef> columns);

}  // namespace millrace::inline exec
