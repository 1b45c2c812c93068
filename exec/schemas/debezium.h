#pragma once

#include <cstddef>
#include <optional>

#include "exec/schemas/avro_schema.h"

/// What Debezium's connectors write: changes of a table's rows, in an envelope with `before`, `after` and `op`.
namespace millrace::inline exec::debezium {

struct Envelope {
  const avro::Node* record;
  std::size_t after, op;  // fields
};
/// Nothing: the schema is that of a plain row, as connectors that unwrap their changes write it.
std::optional<Envelope> find_envelope(const avro::Node& root);

/// The schema of the rows: of `after`, or the whole; Debezium's own types of days and times as Avro's.
avro::SchemaPtr row_schema(const avro::SchemaPtr& whole);

}  // namespace millrace::inline exec::debezium
