#pragma once

#include <boost/json/value.hpp>
#include <memory>

#include "exec/formats/column_writer.h"
#include "exec/schemas/avro_schema.h"
#include "planner/types/value.h"

namespace millrace::inline exec::avro {

/// The "default" of a field as a value of `type`; NULL where it does not fit. Slow.
Value default_value(const boost::json::value& json, const Node& node, const Type& type);

/// Stores a value in a box; text is copied to the arena.
void set_value(ColumnWriter& out, std::size_t row, const Value& value, std::shared_ptr<Arena>& arena);

/// The Avro bytes of a field's "default". Fails where it does not fit the type.
Result<std::string> default_bytes(const boost::json::value& json, const Node& node);

}  // namespace millrace::inline exec::avro
