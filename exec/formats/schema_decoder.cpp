#include <fmt/format.h>

#include <map>

#include "exec/formats/avro_format.h"
#include "exec/formats/avro_wire.h"
#include "exec/formats/codec.h"
#include "exec/formats/framing.h"
#include "exec/formats/json_format.h"
#include "exec/formats/protobuf_format.h"
#include "exec/formats/schema_format.h"
#include "exec/schemas/debezium.h"
#include "exec/schemas/schema_cache.h"

namespace millrace::inline exec {
namespace {

using Inputs = std::span<const std::optional<std::string_view>>;

/// What all of them do for a row: write it, or leave NULLs and a note. `Reader` has
/// Outcome read(std::string_view bytes, std::size_t row).
template <class Reader>
class RowDecoder : public Decoder {
 public:
  RowDecoder(const std::vector<ColumnDef>& columns, const std::vector<std::size_t>& wanted) {
    for (const std::size_t index : wanted) {
      names_.push_back(columns[index].name);
      writers_.emplace_back(columns[index].type);
    }
  }

  void decode(Inputs inputs, const std::shared_ptr<const void>& owner, std::vector<ColumnPtr>& out, Bitmap& bad,
              RowErrors& errors) override {
    const std::size_t rows = inputs.size();
    removed_.clear();
    for (auto& writer : writers_) writer.start(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      if (inputs[row]) {
        const Outcome outcome = static_cast<Reader*>(this)->read(*inputs[row], row);
        if (outcome == Outcome::row) continue;
        if (outcome == Outcome::removed) {
          removed_.set(row, rows);
        } else {
          bad.set(row, rows);
          errors.add(static_cast<std::uint32_t>(row), reason_);
        }
      }
      for (auto& writer : writers_) writer.set_null(row);
    }
    std::vector<std::shared_ptr<const void>> owners;
    if (owner) owners.push_back(owner);
    if (arena_) owners.push_back(std::exchange(arena_, nullptr));
    for (const auto& schema : schemas_) owners.push_back(schema);  // names of enums are views into it
    for (auto& writer : writers_) out.push_back(writer.finish(rows, owners));
  }
  const Bitmap* removed() const override { return removed_.empty() ? nullptr : &removed_; }

 protected:
  enum class Outcome : std::uint8_t { row, removed, bad };
  static Outcome row_if(bool good) { return good ? Outcome::row : Outcome::bad; }

  std::vector<std::string> names_;
  std::vector<ColumnWriter> writers_;
  std::shared_ptr<Arena> arena_;
  std::string reason_;
  std::vector<std::shared_ptr<const void>> schemas_;
  Bitmap removed_;
};

class NosrDecoder final : public RowDecoder<NosrDecoder> {
 public:
  NosrDecoder(const FormatInfo& format, const std::vector<ColumnDef>& columns, const std::vector<std::size_t>& wanted)
      : RowDecoder(columns, wanted),
        file_(proto::file_for(columns, format)),
        reader_(file_, *file_->roots.front(), names_, writers_) {}

 private:
  friend RowDecoder;

  Outcome read(std::string_view bytes, std::size_t row) {
    if (reader_.read(bytes, row, arena_)) return Outcome::row;
    reason_ = reader_.reason();
    return Outcome::bad;
  }

  proto::FilePtr file_;
  ProtobufReader reader_;
};

/// Texts that name their schema: one program for each that was met.
class RegistryDecoder final : public RowDecoder<RegistryDecoder> {
 public:
  RegistryDecoder(const FormatInfo& format, const std::vector<ColumnDef>& columns,
                  const std::vector<std::size_t>& wanted, bool bare, SchemaCache* schemas)
      : RowDecoder(columns, wanted),
        kind_(*schema_kind_of_format(format.name)),
        format_name_(format.name),
        bare_(bare),
        changes_(format.name == "DEBEZIUM_AVRO"),
        cache_(schemas) {
    if (format.schema && kind_ == SchemaKind::avro)
      if (auto parsed = avro::parse(format.schema->schema)) own_ = changes_ ? debezium::row_schema(*parsed) : *parsed;
  }

  bool ready(Inputs inputs) override {
    if (cache_ == nullptr) return true;
    std::int32_t checked = last_ ? last_id_ : -1;
    for (const auto& input : inputs) {
      std::int32_t id;
      if (!input || !peek_schema_id(*input, id) || id == checked) continue;
      if (!programs_.contains(id) && cache_->find(id).state == SchemaCache::State::pending) return false;
      checked = id;
    }
    return true;
  }

 private:
  friend RowDecoder;

  struct Program {
    ParsedSchemaPtr schema;
    std::unique_ptr<AvroReader> avro;
    std::optional<debezium::Envelope> envelope;  // DEBEZIUM_AVRO
    // PROTOBUF: one for each message of the file that was met.
    std::map<const proto::Message*, std::unique_ptr<ProtobufReader>> messages;
    const proto::Message* last_message = nullptr;
    ProtobufReader* last_reader = nullptr;
  };
  static constexpr std::size_t kMaxPrograms = 256;

  Outcome read(std::string_view bytes, std::size_t row) {
    std::int32_t id;
    if (!take_schema_id(bytes, id)) {
      reason_ = bytes.size() < kFrameSize ? fmt::format("{} bytes are too few for {}", bytes.size(), format_name_)
                                          : fmt::format("no {} of a schema registry: the first byte is {}, not 0",
                                                        format_name_, static_cast<unsigned char>(bytes[0]));
      return Outcome::bad;
    }
    Program* program = last_ && id == last_id_ ? last_ : find_program(id);
    if (program == nullptr) return Outcome::bad;
    if (!program->avro) return row_if(read_message(*program, bytes, row));
    if (program->envelope) {
      const Outcome outcome = open(*program->envelope, bytes);
      if (outcome != Outcome::row) return outcome;
    }
    if (program->avro->read(bytes, row, arena_)) return Outcome::row;
    reason_ = program->avro->reason();
    return Outcome::bad;
  }

  /// Narrows `bytes` to the row after a change.
  Outcome open(const debezium::Envelope& envelope, std::string_view& bytes) {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    std::string_view after, op;
    for (std::size_t i = 0; i < envelope.record->fields.size() && at != nullptr; ++i) {
      const char* const begin = at;
      at = i == envelope.op ? avro::read_bytes(at, end, op) : avro::skip(*envelope.record->fields[i].type, at, end);
      if (at != nullptr && i == envelope.after) after = {begin, static_cast<std::size_t>(at - begin)};
    }
    if (at != end) {
      reason_ = "malformed Avro datum";
      return Outcome::bad;
    }
    if (op == "d") return Outcome::removed;
    const avro::Node& type = *envelope.record->fields[envelope.after].type;
    if (type.kind == avro::Kind::union_) {
      std::int64_t branch = 0;
      const char* const row = avro::read_long(after.data(), end, branch);
      if (type.branches[static_cast<std::size_t>(branch)]->kind == avro::Kind::null) {
        reason_ = fmt::format("a change '{}' without the row after it", op);
        return Outcome::bad;
      }
      after.remove_prefix(static_cast<std::size_t>(row - after.data()));
    }
    bytes = after;
    return Outcome::row;
  }

  bool read_message(Program& program, std::string_view bytes, std::size_t row) {
    const proto::Message* message = proto::take_message(*program.schema->proto, bytes);
    if (message == nullptr) {
      reason_ = "the record names a message that its Protobuf schema lacks";
      return false;
    }
    if (message != program.last_message) {
      auto& reader = program.messages[message];
      if (!reader) reader = std::make_unique<ProtobufReader>(program.schema->proto, *message, names_, writers_);
      program.last_message = message;
      program.last_reader = reader.get();
    }
    if (program.last_reader->read(bytes, row, arena_)) return true;
    reason_ = program.last_reader->reason();
    return false;
  }

  Program* find_program(std::int32_t id) {
    const auto known = programs_.find(id);
    if (known != programs_.end()) return remember(id, known->second);
    if (cache_ == nullptr) {
      reason_ = fmt::format("schema id {}: there is no schema registry", id);
      return nullptr;
    }
    SchemaCache::Found found = cache_->find(id);
    if (found.state != SchemaCache::State::ready) {
      reason_ = found.reason.empty() ? fmt::format("schema id {} is not known yet", id) : found.reason;
      return nullptr;
    }
    if (found.schema->kind != kind_) {
      reason_ = fmt::format("schema id {} is of {}, not {}", id, schema_kind_name(found.schema->kind), format_name_);
      return nullptr;
    }
    if (programs_.size() >= kMaxPrograms) {
      programs_.clear();
      last_ = nullptr;
    }
    Program& program = programs_[id];
    program.schema = found.schema;
    if (kind_ == SchemaKind::avro) {
      const avro::SchemaPtr writer = changes_ ? debezium::row_schema(found.schema->avro) : found.schema->avro;
      program.avro = std::make_unique<AvroReader>(writer, own_, names_, writers_, bare_);
      if (changes_) program.envelope = debezium::find_envelope(*found.schema->avro->root);
      if (changes_) schemas_.push_back(writer);
    }
    schemas_.push_back(found.schema);
    return remember(id, program);
  }

  Program* remember(std::int32_t id, Program& program) {
    last_id_ = id;
    last_ = &program;
    return last_;
  }

  const SchemaKind kind_;
  const std::string format_name_;
  const bool bare_, changes_;
  SchemaCache* cache_;
  avro::SchemaPtr own_;  // of the source, for aliases and defaults
  std::map<std::int32_t, Program> programs_;
  std::int32_t last_id_ = 0;
  Program* last_ = nullptr;
};

/// JSON behind the id, which nothing depends on: the columns say what to read.
class JsonSrDecoder final : public Decoder {
 public:
  explicit JsonSrDecoder(std::unique_ptr<Decoder> json) : json_(std::move(json)) {}

  void decode(Inputs inputs, const std::shared_ptr<const void>& owner, std::vector<ColumnPtr>& out, Bitmap& bad,
              RowErrors& errors) override {
    texts_.resize(inputs.size());
    for (std::size_t row = 0; row < inputs.size(); ++row) {
      texts_[row] = inputs[row];
      std::int32_t id;
      if (!texts_[row] || take_schema_id(*texts_[row], id)) continue;
      texts_[row].reset();
      bad.set(row, inputs.size());
      errors.add(static_cast<std::uint32_t>(row),
                 "no JSON_SR of a schema registry: it must begin with a zero byte and an id");
    }
    json_->decode(texts_, owner, out, bad, errors);
  }

 private:
  std::unique_ptr<Decoder> json_;
  std::vector<std::optional<std::string_view>> texts_;
};

}  // namespace

std::unique_ptr<Decoder> make_schema_decoder(const FormatInfo& format, std::vector<ColumnDef> columns,
                                             std::vector<std::size_t> wanted, bool bare, SchemaCache* schemas) {
  if (format.name == "PROTOBUF_NOSR") return std::make_unique<NosrDecoder>(format, columns, wanted);
  if (format.name == "JSON_SR")
    return std::make_unique<JsonSrDecoder>(make_json_decoder(std::move(columns), std::move(wanted), bare));
  return std::make_unique<RegistryDecoder>(format, columns, wanted, bare, schemas);
}

namespace {

std::unique_ptr<Decoder> schema_decoder(DecoderPlan plan) {
  return make_schema_decoder(plan.format, std::move(plan.columns), std::move(plan.wanted), plan.bare, plan.schemas);
}
std::unique_ptr<Encoder> schema_encoder(EncoderPlan plan) {
  return make_schema_encoder(plan.format, std::move(plan.columns), plan.bare);
}

}  // namespace

Codec avro_codec() {
  return {schema_decoder, schema_encoder};
}
Codec json_sr_codec() {
  return {schema_decoder, schema_encoder};
}
Codec protobuf_codec() {
  return {schema_decoder, schema_encoder};
}
Codec protobuf_nosr_codec() {
  return {schema_decoder, schema_encoder};
}
Codec debezium_avro_codec() {
  return {schema_decoder, nullptr};
}

}  // namespace millrace::inline exec
