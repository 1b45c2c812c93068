// fuzz_decoders [SECONDS [SEED]]: random and mangled texts through every decoder, and JSON also beside simdjson, until
// time is up.
#include <simdjson.h>

#include <chrono>
#include <iostream>

#include "exec/formats/json_canonical.h"
#include "exec/formats/json_walk.h"
#include "exec/formats/print.h"
#include "tests/fuzz/mangle.h"
#include "tests/unit/exec_formats/random_values.h"

namespace millrace {
namespace {

using namespace millrace::testing;

std::string random_bytes(RandomValues& random) {
  static const std::string kPool = "{}[]:,\"\\ 0123456789.eE+-truefalsnabcC01\n\t\x01\xc3\xa9\xff";
  std::string text;
  const bool any = random.below(3) == 0;
  for (std::size_t n = random.below(80); n > 0; --n)
    text += any ? static_cast<char>(random.below(256)) : kPool[random.below(kPool.size())];
  return text;
}

/// Empty when all is well. Boxing every value touches every byte that the columns point to.
std::string check_columns(const Decoded& out, std::size_t rows) {
  for (const auto& column : out.columns) {
    if (column->size != rows) return "column of the wrong size";
    for (std::size_t row = 0; row < rows; ++row) {
      const bool null = get_value(*column, row).is_null();
      if (out.bad.test(row) && !null) return "bad row with a value";
    }
  }
  return out.bad.count(rows) == out.errors.count ? "" : "bad rows and errors differ";
}

bool plain_ascii(const std::string& text) {
  for (const char c : text)
    if (c == '\\' || static_cast<signed char>(c) < 0) return false;
  return true;
}

/// The one form of a value is JSON, and its own one form.
std::string check_canonical(std::string_view value) {
  std::string once, twice;
  if (json::append_canonical(value.data(), value.data() + value.size(), json::NumberStyle::java, once) == nullptr)
    return simdjson::validate_utf8(value) ? "no canonical form" : "";
  if (json::first_value(once) != once) return "canonical form is broken";
  json::append_canonical(once.data(), once.data() + once.size(), json::NumberStyle::java, twice);
  return once == twice ? "" : "canonical form has another";
}

/// Whether JSON is refused that simdjson takes, or the other way round where both check the same. Ours reads the first
/// value only, so that is what simdjson gets.
std::string check_json(const std::string& text, bool refused, simdjson::dom::parser& parser) {
  const auto whole = parser.parse(text);
  if (refused && whole.error() == simdjson::SUCCESS &&
      (whole.value_unsafe().is_object() || whole.value_unsafe().is_null()))
    return "refused good JSON";
  const auto first = json::first_value(text);
  if (refused == (first && (first->front() == '{' || *first == "null"))) return "first value and decoder differ";
  if (!first) return {};
  const auto result = parser.parse(simdjson::padded_string(*first));
  const bool number = result.error() == simdjson::NUMBER_ERROR;  // simdjson's have 64 bits
  if (result.error() != simdjson::SUCCESS && !number && plain_ascii(std::string(*first))) return "took broken JSON";
  return check_canonical(*first);
}

struct Run {
  explicit Run(std::uint64_t seed) : random(seed) {}
  RandomValues random;
  simdjson::dom::parser parser;
  std::string problem, text;

  bool failed(const std::string& what, const std::string& where) {
    if (what.empty()) return false;
    problem = what;
    text = where;
    return true;
  }

  bool check_format(const FormatInfo& format) {
    auto columns = random.columns(format.name == "DELIMITED" || format.name == "KAFKA" ? 0 : 3);
    if (format.name == "KAFKA") columns = {column("C", kafka_type())};
    std::vector<std::vector<Value>> rows(8);
    for (auto& row : rows)
      for (const auto& def : columns) row.push_back(random.value(def.type));
    std::vector<std::optional<std::string>> texts;
    for (const std::string& good : encode(format, columns, rows)) {
      texts.emplace_back(good);
      texts.emplace_back(mangle(good, random));
      texts.emplace_back(random_bytes(random));
    }
    const Decoded out = decode(format, columns, texts);
    if (failed(check_columns(out, texts.size()), *texts[0])) return false;
    if (format != kJson) return true;
    const Decoded none = decode_all(*make_decoder(format, columns, {}, false), texts);
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (failed(check_json(*texts[i], none.bad.test(i), parser), *texts[i])) return false;
    return check_print(texts);
  }

  Type kafka_type() {
    const Type types[] = {Type::integer(), Type::bigint(), Type::double_(), Type::string(), Type::bytes()};
    return types[random.below(5)];
  }

  bool check_print(const std::vector<std::optional<std::string>>& texts) {
    std::vector<std::string> lines;
    for (const auto& one : texts) {
      RecordPrinter printer([](std::int32_t) { return nullptr; });
      printer.print({0, one, one, 0}, lines);
    }
    return !failed(lines.size() == texts.size() * 3 ? "" : "missing lines", *texts[0]);
  }
};

/// Rounds done; stops at the first problem, which it prints.
int fuzz(std::chrono::seconds seconds, std::uint64_t seed, int& failures) {
  const auto stop = std::chrono::steady_clock::now() + seconds;
  int rounds = 0;
  for (; std::chrono::steady_clock::now() < stop && failures == 0; ++seed, ++rounds) {
    Run run(seed);
    for (const FormatInfo& format : {kJson, kJsonBare, kDelimited, kRow, kKafka}) {
      if (run.check_format(format)) continue;
      std::cout << "seed " << seed << ", " << format.name << ": " << run.problem << "\n" << run.text << "\n";
      ++failures;
    }
  }
  return rounds;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  const auto seconds = std::chrono::seconds(argc > 1 ? std::stoi(argv[1]) : 10);
  const std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : std::random_device()();
  int failures = 0;
  const int rounds = millrace::fuzz(seconds, seed, failures);
  std::cout << "fuzz_decoders: " << rounds << " rounds of " << 5 * 24 << " texts, " << failures << " failures\n";
  return failures == 0 ? 0 : 1;
}
