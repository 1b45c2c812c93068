#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/test_bed.h"
#include "cli/test_records.h"
#include "cli/test_script.h"
#include "cli/testing/record_file.h"

namespace millrace::inline cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTestHelp = R"(usage: millrace test -t FILE.sql|DIR
       millrace test -s STATEMENTS.sql [-i INPUT.json] -o OUTPUT.json

Runs tests in this process, on a log in memory: no server, nothing is kept. Every topic has one partition, every change is written out, and a row
inserted without ROWTIME has the time of the newest row before it. Exit status 0, or 1 when a test failed.

  -t, --test-directory PATH  a script, or a folder of scripts (*.sql). A test begins with `--@test: NAME`; `--@expected.error: CLASS` and
                             `--@expected.message: TEXT` say how it must fail. Beside the usual statements: ASSERT VALUES, ASSERT NULL VALUES,
                             ASSERT STREAM, ASSERT TABLE
  -s, --sql-file FILE        statements
  -i, --input-file FILE      records to feed: {"inputs": [{"topic", "key", "value", "timestamp", "window"}, ...]}
  -o, --output-file FILE     all records that the topics must have: {"outputs": [...]}
      --dialect NAME         of all statements until a SET says otherwise: millrace, or ksql, as ksqlDB has it

examples:
  millrace test -t clicks.sql
  millrace test -t tests/
  millrace test -s statements.sql -i input.json -o output.json
)";
const std::vector<OptionDef> kTestOptions = {
    {"test-directory", 't', true}, {"td", 0, true},           {"temp-folder", 0, true},   {"tf", 0, true},
    {"sql-file", 's', true},       {"input-file", 'i', true}, {"output-file", 'o', true}, {"dialect", 0, true},
    {"help", 'h', false}};

void report_passed() {
  std::puts("\t >>> Test passed!");
}
void report_failed(const std::string& why) {
  std::fflush(stdout);
  std::fprintf(stderr, "\t>>>>> Test failed: %s\n", why.c_str());
}

std::vector<fs::path> script_files(const fs::path& path) {
  if (!fs::exists(path)) throw UsageError(fmt::format("there is no {}", path.string()));
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file() && entry.path().extension() == ".sql") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) throw UsageError(fmt::format("there is no .sql file in {}", path.string()));
  return files;
}

int run_scripts(const std::string& path, Dialect dialect) {
  std::size_t passed = 0, failed = 0;
  for (const fs::path& file : script_files(path)) {
    for (const TestScript& test : split_tests(read_file_or_stdin(file.string()), file.stem().string())) {
      std::printf("%s: %s\n", file.string().c_str(), test.name.c_str());
      const auto problem = run_test(test, dialect);
      if (!problem) {
        ++passed;
        report_passed();
        continue;
      }
      ++failed;
      const std::string at = problem->line == 0 ? "" : fmt::format("\n\tat {}:{}", file.string(), problem->line);
      report_failed(problem->message + at);
    }
  }
  std::printf("%zu of %zu tests passed\n", passed, passed + failed);
  return failed == 0 ? 0 : 1;
}

std::vector<harness::RecordSpec> read_records(const std::string& path, std::string_view member) {
  const auto parsed = harness::parse_json(read_file_or_stdin(path));
  const harness::Json* list = parsed ? parsed->find(member) : nullptr;
  if (list == nullptr || list->kind != harness::Json::Kind::array)
    throw UsageError(fmt::format("{} is not a JSON object with a list \"{}\"", path, member));
  std::vector<harness::RecordSpec> records;
  for (const harness::Json& item : list->items) {
    records.push_back(harness::read_record(item));
    if (records.back().topic.empty()) throw UsageError(fmt::format("{}: a record has no \"topic\"", path));
  }
  return records;
}

int compare_records(const Options& options, Dialect dialect) {
  const std::string statements = read_file_or_stdin(*options.get("sql-file"));
  std::vector<harness::RecordSpec> inputs;
  if (const auto file = options.get("input-file")) inputs = read_records(*file, "inputs");
  const auto outputs = read_records(*options.get("output-file"), "outputs");
  try {
    run_record_test(statements, inputs, outputs, dialect);
  } catch (const TestFailure& failure) {
    report_failed(failure.what());
    return 1;
  }
  report_passed();
  return 0;
}

Dialect read_dialect(const Options& options) {
  const std::string name = options.get("dialect").value_or("millrace");
  if (name != "millrace" && name != "ksql") throw UsageError("--dialect is millrace or ksql");
  return name == "ksql" ? Dialect::ksql : Dialect::millrace;
}

}  // namespace

int test_command(const std::vector<std::string>& arguments) {
  const Options options(kTestOptions, arguments);
  if (options.has("help")) return std::fputs(kTestHelp, stdout) < 0;
  spdlog::set_default_logger(spdlog::stderr_color_mt("millrace"));
  spdlog::set_level(spdlog::level::err);
  std::optional<std::string> scripts = options.get("test-directory");
  if (options.has("td")) scripts = options.get("td");
  if (!scripts && options.positional().size() == 1) scripts = options.positional().front();
  const bool records = options.has("sql-file") && options.has("output-file");
  if (scripts.has_value() == records || options.positional().size() > (scripts ? 1 : 0))
    throw UsageError("expected either -t, or -s and -o");
  const Dialect dialect = read_dialect(options);
  return scripts ? run_scripts(*scripts, dialect) : compare_records(options, dialect);
}

}  // namespace millrace::inline cli
