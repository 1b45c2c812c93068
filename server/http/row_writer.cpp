#include "server/http/row_writer.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::value(text));
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
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    if (!error) return;
    out += boost::json::serialize(error->to_json());
    out += '\n';
  }
};

/// One JSON array: the header, then the rows.
class JsonWriter final : public RowWriter {
 public:
  void header(const QueryHeader& header, std::string& out) override {
    out += '[';
    out += header_object(header);
  }
  void row(const Batch& batch, std::size_t row, std::string& out) override {
    if (is_removed(batch, row)) return;
    out += ',';
    append_row_json(batch, row, out);
  }
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    if (error) {
      out += ',';
      out += boost::json::serialize(error->to_json());
    }
    out += ']';
  }
};

/// {"header"}, {"row"}, {"finalMessage"} objects, a line each, in one array.
class V1Writer final : public RowWriter {
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
  void end(const std::optional<std::string>& message, const std::optional<ServiceError>& error,
           std::string& out) override {
    if (error || message) {
      begin(out);
      out += error ? "{\"errorMessage\":" + boost::json::serialize(error->to_json()) + "}"
                   : "{\"finalMessage\":" + quoted(*message) + "}";
    }
    out += ']';
  }

 private:
  // Push rows go out at once with their separator behind them; pull rows put it in front, so that the last has none.
  void separate(std::string& out) const {
    if (!buffered_) out += ",\n";
  }
  void begin(std::string& out) const {
    if (buffered_) out += ",\n";
  }
  const bool buffered_;
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
  void end(const std::optional<std::string>&, const std::optional<ServiceError>& error, std::string& out) override {
    out += json::serialize(json::object{{"error", error ? error->message : "done"}});
  }
};

}  // namespace

std::unique_ptr<RowWriter> make_row_writer(MediaType type, bool buffered) {
  switch (type) {
    case MediaType::delimited:
      return std::make_unique<DelimitedWriter>();
    case MediaType::json:
      return std::make_unique<JsonWriter>();
    case MediaType::frames:
      return std::make_unique<FramesWriter>();
    default:
      return std::make_unique<V1Writer>(buffered);
  }
}

}  // namespace millrace::inline server
