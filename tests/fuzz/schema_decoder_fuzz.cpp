// fuzz_schema_decoders [SECONDS [SEED]]: what AVRO, PROTOBUF and PROTOBUF_NOSR write is read back the same, and mangled
// texts are refused or read, never more; so are mangled schemas.
#include <chrono>
#include <iostream>
#include <random>

#include "exec/formats/framing.h"
#include "exec/formats/schema_registrar.h"
#include "exec/schemas/compatibility.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/schema_cache.h"
#include "planner/catalog/formats.h"
#include "tests/fuzz/mangle.h"
#include "tests/unit/exec_formats/random_values.h"

namespace millrace {
namespace {

using namespace millrace::testing;

constexpr std::size_t kRows = 8;

struct Run {
  explicit Run(std::uint64_t seed) : random(seed) {}
  RandomValues random;
  std::shared_ptr<LocalRegistry> registry = std::make_shared<LocalRegistry>();

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
    const SchemaText text{mangle(schema.text, random), {}};
    if (check_schema(schema.kind, text)) (void)reading_fault(schema.kind, text, {schema.text, {}});
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
    const Decoded out = decode_all(*make_decoder(format, columns, all_of(columns.size()), false, &cache), texts);
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
  for (; std::chrono::steady_clock::now() < stop; ++seed, ++rounds) {
    for (const char* name : {"AVRO", "PROTOBUF", "PROTOBUF_NOSR"}) {
      millrace::Run run(seed);
      const std::string problem = run.check(name);
      if (problem.empty()) continue;
      std::cout << "seed " << seed << ", " << name << ": " << problem << "\n";
      return 1;
    }
  }
  std::cout << "fuzz_schema_decoders: " << rounds << " rounds of " << 3 * 16 << " texts, 0 failures\n";
  return 0;
}
