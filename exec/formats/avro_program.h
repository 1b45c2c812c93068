#pragma once

#include <string>
#include <vector>

#include "exec/formats/column_writer.h"
#include "exec/schemas/avro_schema.h"

/// What an AvroReader does with a datum, decided once for a writer's schema and the columns that are read.
namespace millrace::inline exec::avro {

enum class Op : std::uint8_t {
  skip,
  several,  // columns that want the same field
  null,
  to_int32,
  to_int64,
  to_double,
  to_text,
  to_boolean,
  number,
  float_,
  double_,
  bytes,
  fixed,
  enumeration,
  decimal,
  record,
  array,
  map,
  map_entries,
  union_,
  union_fields,
  misfit,
};

/// A column that the writer's record lacks.
struct Fill {
  ColumnWriter* out;
  Value value;
};

/// What becomes of one value.
struct Step {
  Op op = Op::skip;
  const Node* node = nullptr;
  ColumnWriter* out = nullptr;
  std::vector<Step> steps;  // record: fields as written; union: branches; list: element, or key and value
  std::vector<Fill> fills;
};

/// A field of the record that most data are, of a type that is quick to read or to pass over: [null, T] too. The
/// others are left to their step.
struct Lane {
  enum class Act : std::uint8_t { step, skip_varint, skip_bytes, skip_size, int32, int64, double_, text, boolean };
  Act act = Act::step;
  bool marked = false;  // a union of null and one type, whose marks are one byte
  char null_mark = 0, value_mark = 0;
  std::size_t size = 0;         // skip_size
  ColumnWriter* out = nullptr;  // null: nobody reads it
  const Step* step = nullptr;
};

struct Program {
  Step root;
  bool flat = false;  // the root is a record: its fields are the lanes, then come its fills
  std::vector<Lane> lanes;
};

/// `bare`: the one column is the whole datum. `reader` may be null. The writers must outlive the program.
Program make_program(const Node& writer, const Node* reader, const std::vector<std::string>& names,
                     std::vector<ColumnWriter>& writers, bool bare);

}  // namespace millrace::inline exec::avro
