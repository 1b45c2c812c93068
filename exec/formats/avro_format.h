#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/formats/column_writer.h"
#include "exec/formats/format.h"
#include "exec/formats/text_sink.h"
#include "exec/schemas/avro_schema.h"

namespace millrace::inline exec {

// AVRO binary data in columns, without framing. Behind make_decoder() and make_encoder().

/// Reads what was written by one schema into columns: a program of steps made once, which skips what no column wants.
/// Record fields are matched by name (exact, else in capitals, else by an alias of the reader's schema); a column that
/// the writer did not know gets the reader's default, else NULL. Allocates nothing per row. One thread; the writers
/// must outlive it.
class AvroReader {
 public:
  /// `bare`: the one column is the whole datum. `reader` may be null.
  AvroReader(avro::SchemaPtr writer, avro::SchemaPtr reader, const std::vector<std::string>& names,
             std::vector<ColumnWriter>& writers, bool bare);
  ~AvroReader();
  /// The datum `bytes` to row `row`. False: broken, or a value does not fit; see reason().
  bool read(std::string_view bytes, std::size_t row, std::shared_ptr<Arena>& arena);
  const std::string& reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes columns by one schema. Fields that no column fills get their default, or null. One thread.
class AvroWriter {
 public:
  /// Fails where a column cannot be written as the schema says.
  static Result<std::unique_ptr<AvroWriter>> make(avro::SchemaPtr schema, const std::vector<ColumnDef>& columns,
                                                  bool bare);
  ~AvroWriter();
  void bind(std::span<const ColumnPtr> columns);
  /// Appends row `row`, of which a part is written when it fails. False: a value has no place in the schema; see
  /// reason().
  bool write(std::size_t row, TextSink& sink);
  const std::string& reason() const;

 private:
  struct State;
  explicit AvroWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::inline exec
