#pragma once

#include <memory>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::inline exec {

// ROW: our own compact layout for internal topics and state values; any types. Behind make_decoder() and
// make_encoder().
//
// A row is: the number of columns (varint), a bitmap of the NULL ones (a byte for 8), then the values of the others in
// order. Numbers are fixed width, little-endian (BOOLEAN 1 byte, INTEGER, TIME, DATE 4, BIGINT, TIMESTAMP, DOUBLE 8,
// DECIMAL 8 up to 18 digits, else 16); STRING and BYTES have their length (varint) in front; ARRAY is a count (varint)
// and its elements as in a row (bitmap, values), MAP a count, keys and values; STRUCT is a row. Columns
// appended since a row was written read as NULL.

std::unique_ptr<Decoder> make_row_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted);
std::unique_ptr<Encoder> make_row_encoder(std::vector<ColumnDef> columns);

}  // namespace millrace::inline exec
