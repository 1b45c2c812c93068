#include "server/http/row_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "exec/formats/format.h"
#include "exec/schemas/proto_schema.h"
#include "planner/catalog/formats.h"
#include "planner/types/base64.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text));
}

std::string names_and_types(const QueryHeader& header) {
  std::string names, types;
  for (const ColumnDef& column : header.schema.columns) {
    if (!names.empty()) {
      names += ',';
      types += ',';
    }
    names += quoted(column.name);
    types += quoted(column.type.to_string());
  }
  return "\"columnNames\":[" + names + "],\"columnTypes\":[" + types + "]";
}

std::string header_object(const QueryHeader& header) {
  return "{\"queryId\":" + (header.push ? quoted(header.query_id) : std::string("null")) + "," +
         names_and_types(header) + "}";
}

std::string token_object(const std::string& token) {
  return "{\"continuationToken\":" + quoted(token) + "}";
}

bool is_removed(const Batch& batch, std::size_t row) {
  return batch.kind(row) == RowKind::remove;
}

/// One JSON document a line.
class DelimitedWriter final : public RowWriter {
 public:
  void header(const QueryHeader& header, std::string& out) override {
    out += header_object(header);
    out += '\n';
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    if (is_removed(batch, row)) return;
    append_row_json(batch, row, out);
    out += '\n';
  }
  void token(const std::string& token, std::string& out) override { out += token_object(token) + '\n'; }
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    if (!error) return;
    out += boost::json::serialize(error->to_json());
    out += '\n';
  }
};

/// One JSON array: the header, then the rows. Without its end where rows of a pull query are missing.
class JsonWriter final : public RowWriter {
 public:
  explicit JsonWriter(bool buffered) : buffered_(buffered) {}

  void header(const QueryHeader& header, std::string& out) override {
    out += '[';
    out += header_object(header);
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    if (is_removed(batch, row)) return;
    out += ',';
    append_row_json(batch, row, out);
  }
  void token(const std::string& token, std::string& out) override { out += ',' + token_object(token); }
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    if (error) {
      out += ',';
      out += boost::json::serialize(error->to_json());
    }
    if (!error || !buffered_) out += ']';
  }

 private:
  const bool buffered_;
};

/// {"header"}, {"row"}, {"finalMessage"} objects, a line each, in one array.
class V1Writer : public RowWriter {
 public:
  explicit V1Writer(bool buffered) : buffered_(buffered) {}

  void header(const QueryHeader& header, std::string& out) override {
    // Only pull queries on tables mark keys.
    out += "[{\"header\":{\"queryId\":" + quoted(header.query_id) +
           ",\"schema\":" + quoted(header.schema.to_string(!header.push && header.table)) + "}}";
    separate(out);
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    begin(out);
    out += "{\"row\":{\"columns\":";
    append_row_json(batch, row, out);
    out += is_removed(batch, row) ? ",\"tombstone\":true}}" : "}}";
    separate(out);
  }
  void token(const std::string& token, std::string& out) override {
    begin(out);
    out += "{\"continuationToken\":" + token_object(token) + "}";
    separate(out);
  }
  void end(const std::optional<std::string>& message, const std::optional<ServiceError>& error,
           std::string& out) override {
    if (error || message) {
      begin(out);
      out += error ? "{\"errorMessage\":" + boost::json::serialize(error->to_json()) + "}"
                   : "{\"finalMessage\":" + quoted(*message) + "}";
    }
    if (!error || !buffered_) out += ']';
  }

 protected:
  // Push rows go out at once with their separator behind them; pull rows put it in front, so that the last has none.
  void separate(std::string& out) const {
    if (!buffered_) out += ",\n";
  }
  void begin(std::string& out) const {
    if (buffered_) out += ",\n";
  }

 private:
  const bool buffered_;
};

/// The name as a field of a Protobuf message, unlike all of `taken`.
std::string field_name(std::string name, std::set<std::string>& taken) {
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) name.insert(0, 1, '_');
  std::string unlike = name;
  for (int count = 2; !taken.insert(unlike).second; ++count) unlike = fmt::format("{}_{}", name, count);
  return unlike;
}

/// The type with names of fields that Protobuf allows.
Type with_field_names(const Type& type) {
  switch (type.kind()) {
    case TypeKind::array:
      return Type::array(with_field_names(type.element()));
    case TypeKind::map:
      return Type::map(with_field_names(type.key()), with_field_names(type.value()));
    case TypeKind::structure: {
      std::set<std::string> taken;
      std::vector<StructField> fields;
      for (const StructField& field : type.fields())
        fields.push_back({field_name(field.name, taken), with_field_names(field.type)});
      return Type::structure(std::move(fields));
    }
    default:
      return type;
  }
}

/// As V1, the header with a Protobuf schema and each row as a message of it, in base64.
class ProtobufRows final : public V1Writer {
 public:
  using V1Writer::V1Writer;

  void header(const QueryHeader& header, std::string& out) override {
    const FormatInfo format{.name = std::string(kFormat)};
    std::vector<ColumnDef> columns;
    std::set<std::string> taken;
    for (const ColumnDef& column : header.schema.columns)
      columns.push_back({field_name(column.name, taken), with_field_names(column.type)});
    const auto file = proto::file_for(columns, format, proto::MapEntries::messages);
    out += "[{\"header\":{\"queryId\":" + quoted(header.query_id) +
           ",\"schema\":" + quoted(header.schema.to_string(!header.push && header.table)) +
           ",\"protoSchema\":" + quoted(proto::print(*file)) + "}}";
    encoder_ = make_encoder(format, std::move(columns), false);
    separate(out);
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    if (row == 0) {
      encoded_.clear();
      fault_ = encoder_->encode(batch.columns, batch.rows, encoded_);
    }
    begin(out);
    if (!fault_) {
      out +=
          "{\"errorMessage\":" + json::serialize(service_error(kServerError, fault_.error().message).to_json()) + "}";
      return separate(out);
    }
    const std::string_view bytes = encoded_.row(row);
    out += "{\"row\":{\"protobufBytes\":\"";
    const std::size_t from = out.size();
    out.resize(from + base64_size(bytes.size()));
    base64_write(bytes, out.data() + from);
    out += is_removed(batch, row) ? "\",\"tombstone\":true}}" : "\"}}";
    separate(out);
  }

  static constexpr std::string_view kFormat = "PROTOBUF_NOSR";

 private:
  std::unique_ptr<Encoder> encoder_;
  Encoded encoded_;  // of the batch whose rows come
  Status fault_;
};

/// Texts for the frames of a WebSocket: the columns, then a row each, then the end.
class FramesWriter final : public RowWriter {
 public:
  void header(const QueryHeader& header, std::string& out) override {
    json::array fields;
    for (const ColumnDef& column : header.schema.columns)
      fields.push_back(json::object{{"name", column.name}, {"schema", type_json(column.type)}});
    out += json::serialize(fields);
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    out += "{\"row\":{\"columns\":";
    append_row_json(batch, row, out);
    out += is_removed(batch, row) ? ",\"tombstone\":true}}" : "}}";
  }
  void token(const std::string& token, std::string& out) override {
    out += "{\"continuationToken\":" + token_object(token) + "}";
  }
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    out += json::serialize(json::object{{"error", error ? error->message : "done"}});
  }
};

}  // namespace

std::optional<ServiceError> layout_refusal(MediaType type, const QueryHeader& header) {
  if (type != MediaType::protobuf || header.text) return std::nullopt;
  const std::string reason = refusal(*find_format(ProtobufRows::kFormat), header.schema.columns);
  if (reason.empty()) return std::nullopt;
  return service_error(kNotAcceptable, "Not Acceptable: " + reason);
}

std::unique_ptr<RowWriter> make_row_writer(MediaType type, bool buffered) {
  switch (type) {
    case MediaType::protobuf:
      return std::make_unique<ProtobufRows>(buffered);
    case MediaType::delimited:
      return std::make_unique<DelimitedWriter>();
    case MediaType::json:
      return std::make_unique<JsonWriter>(buffered);
    case MediaType::frames:
      return std::make_unique<FramesWriter>();
    default:
      return std::make_unique<V1Writer>(buffered);
  }
}

}  // namespace millrace::inline server
