#include "cli/bench_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "exec/formats/format.h"
#include "exec/formats/framing.h"
#include "exec/formats/schema_registrar.h"
#include "exec/formats/schema_text.h"
#include "exec/schemas/schema_cache.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::size_t kBatch = 4096;

SchemaSource schema_of(const Input& input, const std::string& format) {
  return schema_for_columns({.name = format}, "BENCH", input.columns, false);
}

/// Writes JSON objects again in another format.
class Transcoder {
 public:
  Transcoder(const Input& input, const std::string& format, std::int32_t id, const Emit& emit) : emit_(emit) {
    auto schema = std::make_shared<WriterSchema>();
    schema->id = id;
    schema->schema = {schema_of(input, format).text, {}};
    std::vector<std::size_t> all(input.columns.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    reader_ = make_decoder({.name = "JSON"}, input.columns, all, false);
    writer_ = make_encoder({.name = format, .schema = std::move(schema)}, input.columns, false);
  }

  void add(const InputRecord& record) {
    keys_.emplace_back(record.key);
    values_.emplace_back(record.value);
    times_.push_back(record.timestamp);
    if (keys_.size() == kBatch) flush();
  }
  void flush() {
    std::vector<std::optional<std::string_view>> texts(values_.begin(), values_.end());
    std::vector<ColumnPtr> columns;
    Bitmap bad;
    RowErrors errors;
    reader_->decode(texts, nullptr, columns, bad, errors);
    Encoded encoded;
    if (const Status done = writer_->encode(columns, texts.size(), encoded); !done || !bad.empty())
      throw std::runtime_error("an input cannot be written: " + (done ? "bad JSON" : done.error().message));
    for (std::size_t i = 0; i < keys_.size(); ++i) emit_({keys_[i], encoded.row(i), times_[i]});
    keys_.clear();
    values_.clear();
    times_.clear();
  }

 private:
  const Emit& emit_;
  std::unique_ptr<Decoder> reader_;
  std::unique_ptr<Encoder> writer_;
  std::vector<std::string> keys_, values_;
  std::vector<std::int64_t> times_;
};

/// Records of the output as the JSON that they would be.
class Translator {
 public:
  explicit Translator(const Workload& workload) : registry_(workload.registry) {}

  std::optional<std::string> json_of(std::string_view bytes) {
    std::int32_t id;
    if (!take_schema_id(bytes, id)) return std::nullopt;
    ParsedSchemaPtr& schema = schemas_[id];
    if (!schema) {
      auto found = (*registry_)->find(id);
      if (!found || !*found) return std::nullopt;
      auto parsed = parse_schema((*found)->kind, {(*found)->text, {}});
      if (!parsed) return std::nullopt;
      schema = *parsed;
    }
    if (schema->avro) return avro_text(bytes, *schema->avro->root);
    if (!schema->proto) return std::string(bytes);
    const proto::Message* message = proto::take_message(*schema->proto, bytes);
    return message ? protobuf_text(bytes, *message) : std::nullopt;
  }

 private:
  std::shared_ptr<SchemaRegistry*> registry_;
  std::map<std::int32_t, ParsedSchemaPtr> schemas_;
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// The ids that a registry without schemas gives to those of the inputs, in order: equal ones are one.
std::vector<std::int32_t> schema_ids(const std::vector<Input>& inputs, const std::string& format) {
  std::vector<std::string> texts;
  std::vector<std::int32_t> ids;
  for (const Input& input : inputs) {
    const std::string text = schema_of(input, format).text;
    auto known = std::ranges::find(texts, text);
    if (known == texts.end()) known = texts.insert(known, text);
    ids.push_back(static_cast<std::int32_t>(known - texts.begin()) + 1);
  }
  return ids;
}

void set_format(Input& input, const std::string& format, std::int32_t id) {
  input.topic = fmt::format("{}-{}", input.topic, format);
  input.generate = [input, format, id](const Emit& emit) {
    Transcoder transcoder(input, format, id, emit);
    input.generate([&](const InputRecord& record) { transcoder.add(record); });
    transcoder.flush();
  };
}

}  // namespace

bool set_format(Workload& workload, const std::string& format) {
  if (format == "JSON") return true;
  const bool known = schema_kind_of_format(format).has_value() && format != "DEBEZIUM_AVRO";
  if (!known || std::ranges::any_of(workload.inputs, [](const Input& input) { return input.columns.empty(); }))
    return false;
  const std::vector<std::int32_t> ids = schema_ids(workload.inputs, format);
  for (std::size_t i = 0; i < workload.inputs.size(); ++i) {
    Input& input = workload.inputs[i];
    const std::string json = "'" + input.topic + "'";
    set_format(input, format, ids[i]);
    replace_all(workload.sources, json, "'" + input.topic + "'");
  }
  replace_all(workload.sources, "value_format='JSON'", fmt::format("value_format='{}'", format));
  workload.format = format;
  workload.registry = std::make_shared<SchemaRegistry*>(nullptr);
  workload.row_hash = [hash = workload.row_hash, translator = std::make_shared<Translator>(workload)](
                          const RecordView& record) -> std::optional<std::uint64_t> {
    const auto json = translator->json_of(*record.value);
    if (!json) return std::nullopt;
    RecordView translated = record;
    translated.value = *json;
    return hash(translated);
  };
  return true;
}

Status register_inputs(const Workload& workload, SchemaRegistry& registry) {
  if (!workload.registry) return {};
  *workload.registry = &registry;
  const std::vector<std::int32_t> ids = schema_ids(workload.inputs, workload.format);
  for (std::size_t i = 0; i < workload.inputs.size(); ++i) {
    const Input& input = workload.inputs[i];
    const auto added = registry.add(subject_name(input.topic, false), schema_of(input, workload.format));
    if (!added) return added.error();
    if (*added != ids[i])
      return user_error("the registry is not empty: the schema of {} has id {}", input.topic, *added);
  }
  return {};
}

}  // namespace millrace::inline cli::bench
