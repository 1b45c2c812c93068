// fuzz_schema_decoders [SECONDS [SEED]]: what AVRO, JSON_SR, PROTOBUF and PROTOBUF_NOSR write is read back the same,
// and mangled texts are refused or read, never more; so are mangled schemas, answers of a registry, and changes as
// Debezium writes them. What is written is shown by PRINT.
#include <chrono>
#include <iostream>
#include <random>

#include "exec/formats/framing.h"
#include "exec/formats/print.h"
#include "exec/formats/schema_registrar.h"
#include "exec/schemas/avro_schema.h"
#include "exec/schemas/compatibility.h"
#include "exec/schemas/http/registry_answer.h"
#include "exec/schemas/json_schema.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/proto_schema.h"
#include "exec/schemas/schema_cache.h"
#include "exec/schemas/schema_forms.h"
#include "exec/schemas/schema_json.h"
#include "planner/catalog/formats.h"
#include "tests/fuzz/mangle.h"
#include "tests/unit/exec_formats/random_values.h"

namespace millrace {
namespace {

using namespace millrace::testing;

constexpr std::size_t kRows = 8, kMangled = 64;  // kMangled of each row are only decoded

struct Run {
  explicit Run(std::uint64_t seed) : random(seed) {}
  RandomValues random;
  std::shared_ptr<LocalRegistry> registry = std::make_shared<LocalRegistry>();
  std::size_t decoded = 0;

  std::string check(const std::string& name) {
    FormatInfo format{.name = name};
    const FormatDef& def = *find_format(name);
    if (def.has_nullable) format.nullable = NullableRepresentation::optional;
    std::vector<ColumnDef> columns;
    for (const ColumnDef& one : random.columns(3))
      if (refusal(def, {one}).empty()) columns.push_back(one);
    if (columns.empty()) return {};
    if (def.registry) {
      const SchemaSource schema = schema_for_columns(format, "S", columns, false);
      const auto id = registry->add("s-value", schema);
      if (!id) return id.error().message;
      format.schema = std::make_shared<WriterSchema>(WriterSchema{*id, {schema.text, {}}});
      if (const std::string problem = check_schema_text(schema); !problem.empty()) return problem;
    }
    SchemaCache cache(registry);
    return check_texts(format, columns, cache);
  }

  // Mangled schemas are refused or taken, nothing else.
  std::string check_schema_text(const SchemaSource& schema) {
    const SchemaText text{mangle(schema.text, random), {}}, good{schema.text, {}};
    for (const ContentPolicy policy : {ContentPolicy::strict, ContentPolicy::lenient}) {
      if (const auto found = reading_fault(schema.kind, good, good, policy); !found || *found)
        return "a schema does not read itself: " + (found ? **found : found.error().message);
      (void)reading_fault(schema.kind, text, good, policy);
      (void)reading_fault(schema.kind, good, text, policy);
    }
    (void)check_schema(schema.kind, text);
    (void)canonical_form(schema.kind, text.text);
    (void)normal_form(schema.kind, text);
    const auto normal = normal_form(schema.kind, good);
    if (!normal) return "no normal form: " + normal.error().message;
    if (const auto again = normal_form(schema.kind, {*normal, {}}); !again || *again != *normal)
      return "a normal form is not normal: " + *normal;
    check_types(schema.kind, text);
    return check_answers(schema);
  }

  static void check_types(SchemaKind kind, const SchemaText& text) {
    if (kind == SchemaKind::json) {
      (void)json_schema::sql_type(text);
    } else if (kind == SchemaKind::avro) {
      if (const auto parsed = avro::parse(text)) (void)avro::sql_type(*(*parsed)->root);
    } else if (const auto parsed = proto::parse(text)) {
      for (const proto::Message* message : (*parsed)->roots) (void)proto::sql_type(*message);
    }
  }

  // A registry may answer with anything.
  std::string check_answers(const SchemaSource& schema) {
    SchemaSource source = schema;
    source.references.push_back({"a", "b", 3});
    boost::json::object answer{{"subject", "s"}, {"version", 2},           {"id", 7},
                               {"message", "m"}, {"is_compatible", false}, {"messages", boost::json::array{"why"}}};
    put_schema(answer, source, source.text);
    const std::string body = boost::json::serialize(answer);
    const auto version = registry_answer::version("s", body);
    if (!version || version->id != 7 || !(version->schema == source)) return "an answer is not understood: " + body;
    const std::string mangled = mangle(body, random), list = mangle(R"(["s-value", 1, 23])", random);
    (void)registry_answer::schema(mangled);
    (void)registry_answer::version("s", mangled);
    (void)registry_answer::id(mangled);
    (void)registry_answer::refusal(mangled);
    (void)registry_answer::message(mangled);
    (void)registry_answer::names(list);
    (void)registry_answer::numbers(list);
    return {};
  }

  std::string check_texts(const FormatInfo& format, const std::vector<ColumnDef>& columns, SchemaCache& cache) {
    std::vector<std::vector<Value>> rows(kRows);
    for (auto& row : rows)
      for (const auto& def : columns) row.push_back(random.value(def.type));
    std::vector<std::optional<std::string>> texts;
    const std::size_t keep = format.schema ? kFrameSize : 0;
    for (const std::string& good : encode(format, columns, rows)) texts.emplace_back(good);
    for (std::size_t i = 0; i < kRows; ++i)
      texts.emplace_back(mangle(*texts[i], random, random.below(4) == 0 ? 0 : keep));
    if (std::string problem = check_shown(format, texts, cache); !problem.empty()) return problem;
    if (std::string problem = check_changes(format, columns, texts); !problem.empty()) return problem;
    for (std::size_t i = 0; i < kRows * kMangled; ++i)
      texts.emplace_back(mangle(*texts[i % kRows], random, random.below(4) == 0 ? 0 : keep));
    const Decoded out = decode_all(*make_decoder(format, columns, all_of(columns.size()), false, &cache), texts);
    decoded += texts.size();
    for (std::size_t row = 0; row < texts.size(); ++row) {
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const Value value = out.at(i, row);
        if (out.bad.test(row) && !value.is_null()) return "bad row with a value";
        if (row < kRows && format.name == "AVRO" && !(value == rows[row][i]) && !is_nan(rows[row][i]))
          return "column " + columns[i].name + " " + columns[i].type.to_string() + " came back another";
      }
      if (row < kRows && out.bad.test(row)) return "refused what was written: " + out.errors.entries.front().message;
    }
    return {};
  }

  // PRINT knows what was written, and stands what was not.
  std::string check_shown(const FormatInfo& format, const std::vector<std::optional<std::string>>& texts,
                          SchemaCache& cache) {
    if (!format.schema) return {};
    for (std::size_t row = 0; row < texts.size(); ++row) {
      RecordPrinter printer([&](std::int32_t id) { return cache.find(id).schema; });
      std::vector<std::string> lines;
      printer.print({0, std::nullopt, texts[row], 0}, lines);
      if (row < kRows && lines[1].find(format.name) == std::string::npos)
        return "shown as another format: " + lines[1] + ", " + lines[2];
    }
    return {};
  }

  // A row in Debezium's envelope is read as the row alone is.
  std::string check_changes(const FormatInfo& format, const std::vector<ColumnDef>& columns,
                            const std::vector<std::optional<std::string>>& texts) {
    if (format.name != "AVRO") return {};
    const std::string text =
        R"({"type": "record", "name": "E", "fields": [{"name": "before", "type": ["null", "string"]},
      {"name": "after", "type": ["null", )" +
        format.schema->schema.text + R"(]}, {"name": "op", "type": "string"}]})";
    const auto id = registry->add("changes-value", {SchemaKind::avro, text, {}});
    if (!id) return id.error().message;
    std::vector<std::optional<std::string>> changes;
    for (const auto& row : texts) {
      changes.emplace_back(schema_frame(*id) + std::string("\0\2", 2) + row->substr(std::min(kFrameSize, row->size())) +
                           "\2u");
      changes.emplace_back(mangle(*changes.back(), random, random.below(4) == 0 ? 0 : kFrameSize));
    }
    const auto all = all_of(columns.size());
    SchemaCache fresh(registry);  // the other may have looked for the id before it was there
    const Decoded rows = decode_all(*make_decoder(format, columns, all, false, &fresh), texts);
    const Decoded out = decode_all(*make_decoder({.name = "DEBEZIUM_AVRO"}, columns, all, false, &fresh), changes);
    for (std::size_t row = 0; row < kRows; ++row)
      for (std::size_t i = 0; i < columns.size(); ++i)
        if (!(out.at(i, 2 * row) == rows.at(i, row)) && !is_nan(rows.at(i, row))) return "another row in an envelope";
    return check_json_changes(columns, texts.size());
  }

  std::string check_json_changes(const std::vector<ColumnDef>& columns, std::size_t count) {
    std::vector<std::vector<Value>> rows(count);
    for (auto& row : rows)
      for (const auto& def : columns) row.push_back(random.value(def.type));
    std::vector<std::optional<std::string>> plain, changes;
    for (const std::string& row : encode({.name = "JSON"}, columns, rows)) {
      plain.emplace_back(row);
      changes.emplace_back(R"({"before": {"op": "d"}, "after": )" + row + R"(, "source": [], "op": "c"})");
      changes.emplace_back(mangle(*changes.back(), random, 0));
    }
    const auto all = all_of(columns.size());
    const Decoded out = decode_all(*make_decoder({.name = "DEBEZIUM_JSON"}, columns, all, false), changes);
    const Decoded alone = decode_all(*make_decoder({.name = "JSON"}, columns, all, false), plain);
    for (std::size_t row = 0; row < plain.size(); ++row)
      for (std::size_t i = 0; i < columns.size(); ++i)
        if (!(out.at(i, 2 * row) == alone.at(i, row)) && !is_nan(alone.at(i, row)))
          return "another row in a JSON envelope";
    return {};
  }

  static bool is_nan(const Value& value) {
    const double* number = value.get_if<double>();
    return number != nullptr && *number != *number;
  }
};

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  const auto seconds = std::chrono::seconds(argc > 1 ? std::stoi(argv[1]) : 10);
  std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : std::random_device()();
  const auto stop = std::chrono::steady_clock::now() + seconds;
  int rounds = 0;
  std::size_t decoded = 0;
  for (; std::chrono::steady_clock::now() < stop; ++seed, ++rounds) {
    for (const char* name : {"AVRO", "JSON_SR", "PROTOBUF", "PROTOBUF_NOSR"}) {
      millrace::Run run(seed);
      const std::string problem = run.check(name);
      decoded += run.decoded;
      if (problem.empty()) continue;
      std::cout << "seed " << seed << ", " << name << ": " << problem << "\n";
      return 1;
    }
  }
  std::cout << "fuzz_schema_decoders: " << rounds << " rounds, " << decoded << " texts, 0 failures\n";
  return 0;
}
