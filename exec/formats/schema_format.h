#pragma once

#include <memory>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::inline exec {

// Formats with a schema: AVRO, JSON_SR and PROTOBUF, whose texts begin with a zero byte and the id of a registered
// schema, and PROTOBUF_NOSR, whose schema is that of the columns. Behind make_decoder() and make_encoder().

/// `schemas` finds the ids that records name; null: none is known.
std::unique_ptr<Decoder> make_schema_decoder(const FormatInfo& format, std::vector<ColumnDef> columns,
                                             std::vector<std::size_t> wanted, bool bare, SchemaCache* schemas);
/// Writes by format.schema; without one, or where the columns do not fit it, every encode() fails.
std::unique_ptr<Encoder> make_schema_encoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool bare);

/// Why rows of these columns cannot be written by a schema; nothing when they can.
Status check_writable(const FormatInfo& format, const WriterSchema& schema, const std::vector<ColumnDef>& columns,
                      bool bare);

}  // namespace millrace::inline exec
