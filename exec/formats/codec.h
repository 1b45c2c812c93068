#pragma once

#include <memory>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::inline exec {

/// What a reader and a writer of a format are made for; `bare`: the one column is the whole text rather than a field of
/// an object.
struct DecoderPlan {
  const FormatInfo& format;
  std::vector<ColumnDef> columns;
  std::vector<std::size_t> wanted;
  bool bare;
  SchemaCache* schemas;
};
struct EncoderPlan {
  const FormatInfo& format;
  std::vector<ColumnDef> columns;
  bool bare;
};

/// How a format is read and written; beside its reader or writer. What it can carry is in the planner's row.
struct Codec {
  std::unique_ptr<Decoder> (*decoder)(DecoderPlan);
  std::unique_ptr<Encoder> (*encoder)(EncoderPlan);  // null: nothing is written in it
};

#define FORMAT(id, ...) Codec id##_codec();
#include "planner/catalog/formats.inc"
#undef FORMAT
Codec row_codec();  // not of the planner's: internal topics and state alone have it

}  // namespace millrace::inline exec
