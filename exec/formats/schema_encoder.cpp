#include <fmt/format.h>

#include "exec/formats/avro_format.h"
#include "exec/formats/framing.h"
#include "exec/formats/json_format.h"
#include "exec/formats/protobuf_format.h"
#include "exec/formats/schema_format.h"
#include "exec/formats/text_sink.h"
#include "exec/schemas/schema_cache.h"

namespace millrace::inline exec {
namespace {

class FailingEncoder final : public Encoder {
 public:
  explicit FailingEncoder(Error error) : error_(std::move(error)) {}
  Status encode(std::span<const ColumnPtr>, std::size_t, Encoded&) override { return error_; }

 private:
  Error error_;
};

/// A writer of data behind a fixed prefix.
template <class Writer>
class PrefixEncoder final : public Encoder {
 public:
  PrefixEncoder(std::unique_ptr<Writer> writer, std::string prefix)
      : writer_(std::move(writer)), prefix_(std::move(prefix)) {}

  void leave_out(const Bitmap* rows) override { left_out_ = rows; }

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    const Bitmap* left_out = std::exchange(left_out_, nullptr);
    writer_->bind(columns);
    out.ends.reserve(out.ends.size() + rows);
    sink_.start(out);
    for (std::size_t row = 0; row < rows; ++row) {
      if (left_out == nullptr || !left_out->test(row)) {
        sink_.append(prefix_);
        if (!writer_->write(row, sink_)) return user_error("Unable to serialize record: {}", writer_->reason());
      }
      sink_.end_row();
    }
    sink_.finish();
    return {};
  }

 private:
  std::unique_ptr<Writer> writer_;
  std::string prefix_;
  TextSink sink_;
  const Bitmap* left_out_ = nullptr;
};

Result<std::unique_ptr<Encoder>> make_protobuf(proto::FilePtr file, const std::string& full_name, std::string prefix,
                                               const std::vector<ColumnDef>& columns) {
  const proto::Message* message = file->find(full_name);
  if (message == nullptr) return user_error("message {} is not in the Protobuf schema", full_name);
  if (!prefix.empty()) prefix += proto::index_bytes(*message);
  auto writer = ProtobufWriter::make(std::move(file), *message, columns);
  if (!writer) return writer.error();
  return std::unique_ptr<Encoder>(
      std::make_unique<PrefixEncoder<ProtobufWriter>>(std::move(*writer), std::move(prefix)));
}

Result<std::unique_ptr<Encoder>> make(const FormatInfo& format, const WriterSchema& schema,
                                      const std::vector<ColumnDef>& columns, bool bare) {
  const std::string frame = schema_frame(schema.id);
  if (format.name == "JSON_SR") {
    const auto shapes = json_schema::shapes_for(schema.schema, columns, bare);
    if (!shapes) return shapes.error();
    return make_json_encoder(columns, bare, frame, *shapes);
  }
  auto parsed = parse_schema(*schema_kind_of_format(format.name), schema.schema);
  if (!parsed) return parsed.error();
  if ((*parsed)->proto) return make_protobuf((*parsed)->proto, format.full_name, frame, columns);
  auto writer = AvroWriter::make((*parsed)->avro, columns, bare);
  if (!writer) return writer.error();
  return std::unique_ptr<Encoder>(std::make_unique<PrefixEncoder<AvroWriter>>(std::move(*writer), frame));
}

}  // namespace

Status check_writable(const FormatInfo& format, const WriterSchema& schema, const std::vector<ColumnDef>& columns,
                      bool bare) {
  auto made = make(format, schema, columns, bare);
  return made ? Status() : made.error();
}

std::unique_ptr<Encoder> make_schema_encoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool bare) {
  if (format.name == "PROTOBUF_NOSR") {
    auto made = make_protobuf(proto::file_for(columns, format), "", "", columns);
    if (!made) return std::make_unique<FailingEncoder>(made.error());
    return std::move(*made);
  }
  if (!format.schema)
    return std::make_unique<FailingEncoder>(user_error("no {} schema is registered for the topic", format.name));
  auto made = make(format, *format.schema, columns, bare);
  if (!made) return std::make_unique<FailingEncoder>(made.error());
  return std::move(*made);
}

}  // namespace millrace::inline exec
