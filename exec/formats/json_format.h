#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/formats/format.h"
#include "exec/schemas/json_schema.h"

namespace millrace::inline exec {

// JSON, behind make_decoder() and make_encoder(). `bare`: the one column is the whole text, not a field of an object.
// `frame` stands before every text. `shapes`: how the columns are written, where a schema says so; else as they are.

std::unique_ptr<Decoder> make_json_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted, bool bare);
std::unique_ptr<Encoder> make_json_encoder(std::vector<ColumnDef> columns, bool bare, std::string frame = {},
                                           const std::vector<json_schema::Shape>& shapes = {});

}  // namespace millrace::inline exec
