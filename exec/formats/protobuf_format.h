#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/formats/column_writer.h"
#include "exec/formats/format.h"
#include "exec/formats/text_sink.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {

// PROTOBUF messages in columns, without framing. Behind make_decoder() and make_encoder().

/// Reads messages of one type into writers; fields are matched to columns by name (exact, else in capitals). Compiled
/// once; allocates nothing per row. One thread; the writers must outlive it.
class ProtobufReader {
 public:
  /// `file` keeps `message` alive.
  ProtobufReader(proto::FilePtr file, const proto::Message& message, const std::vector<std::string>& names,
                 std::vector<ColumnWriter>& writers);
  ~ProtobufReader();
  /// The message `bytes` to row `row`. False: broken, or a value does not fit; see reason().
  bool read(std::string_view bytes, std::size_t row, std::shared_ptr<Arena>& arena);
  const std::string& reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes columns as messages of one type. One thread.
class ProtobufWriter {
 public:
  /// Fails where a column has no field, or one that cannot hold it.
  static Result<std::unique_ptr<ProtobufWriter>> make(proto::FilePtr file, const proto::Message& message,
                                                      const std::vector<ColumnDef>& columns);
  ~ProtobufWriter();
  void bind(std::span<const ColumnPtr> columns);
  /// Appends the message of row `row`. False: a value has no place in the schema; see reason().
  bool write(std::size_t row, TextSink& sink);
  const std::string& reason() const;

 private:
  struct State;
  explicit ProtobufWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::inline exec
