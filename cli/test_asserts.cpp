#include "cli/test_asserts.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/testing/wire.h"
#include "exec/expr/evaluator.h"
#include "exec/formats/format.h"
#include "exec/functions/builtin.h"
#include "parser/ast/format.h"
#include "planner/bind/binder.h"

namespace millrace::inline cli {
namespace {

using harness::StoredRecord;

class NoTopics final : public TopicLookup {
 public:
  std::optional<TopicInfo> find_topic(const std::string&) override { return TopicInfo{}; }
};

[[noreturn]] void fail(const std::string& message, Span at) {
  throw TestFailure(TestFailure::Kind::assertion, message, at);
}

const SourceDef& require_source(const Catalog& catalog, const std::string& name, std::string_view kind, Span at) {
  const SourceDef* source = catalog.find(name);
  if (source == nullptr)
    throw TestFailure(TestFailure::Kind::statement, fmt::format("{}{} does not exist.", kind, name), at);
  return *source;
}

/// What an assertion says of a record, in the bytes of the source's formats.
struct ExpectedRecord {
  StoredRecord record;
  std::optional<std::int64_t> time, window_start, window_end;
};

constexpr std::string_view kWindowStart = "WINDOWSTART", kWindowEnd = "WINDOWEND";

/// The source as INSERT VALUES takes it, whatever it is: window bounds are columns like others.
SourceDef insertable(const SourceDef& source, const ast::AssertValues& statement) {
  SourceDef target = source;
  target.kind = RelationKind::stream;
  target.read_only = false;
  target.window.reset();
  std::erase_if(target.schema.columns, [&](const ColumnDef& column) {
    return column.role == ColumnRole::header || (statement.tombstone && column.role == ColumnRole::value);
  });
  const auto named = [&](std::string_view name) {
    return std::any_of(statement.columns.begin(), statement.columns.end(),
                       [&](const ast::Identifier& column) { return column.text == name; });
  };
  for (std::string_view name : {kWindowStart, kWindowEnd})
    if (source.window && named(name)) target.schema.columns.push_back({std::string(name), Type::bigint()});
  return target;
}

std::optional<std::int64_t> bound_of(const BoundInsert& bound, const Schema& schema, std::string_view name) {
  const auto index = schema.find(name);
  const std::vector<Value>& row = bound.rows.front().values;
  if (!index || row[*index].is_null()) return std::nullopt;
  return row[*index].as<std::int64_t>();
}

ExpectedRecord bind_expected(const ast::AssertValues& statement, const SourceDef& source, const PropertyMap& properties,
                             Catalog catalog, Span at) {
  const SourceDef target = insertable(source, statement);
  catalog.sources[target.name] = std::make_shared<SourceDef>(target);
  NoTopics topics;
  const BoundInsert bound =
      bind_insert_values(ast::InsertValues{statement.source, statement.columns, {statement.values}},
                         {catalog, builtin_functions(), topics, properties, evaluate_constant});
  ExpectedRecord expected;
  expected.time = bound.rows.front().time;
  expected.window_start = bound_of(bound, target.schema, kWindowStart);
  expected.window_end = bound_of(bound, target.schema, kWindowEnd);
  const std::vector<ColumnDef> keys = source.schema.keys(), values = source.schema.values();
  const std::span<const Value> row = bound.rows.front().values;
  auto key = encode_row(source.key_format, keys, row.first(keys.size()), true);
  if (!key) fail(key.error().message, at);
  expected.record.key = std::move(*key);
  if (statement.tombstone) return expected;
  auto value = encode_row(source.value_format, values, row.subspan(keys.size(), values.size()), false);
  if (!value) fail(value.error().message, at);
  expected.record.value = std::move(*value);
  return expected;
}

/// Removes the window's bounds from the key, so that it compares with one that was never windowed.
std::optional<harness::RecordSpec::Window> take_window(StoredRecord& record, const SourceDef& source, TestBed& bed) {
  if (!source.window || !record.key) return std::nullopt;
  const auto window = harness::decode_record(record, source, &bed.registry()).window;
  const std::size_t bounds = source.window->type == WindowType::session ? 16 : 8;
  if (record.key->size() >= bounds) record.key->resize(record.key->size() - bounds);
  return window;
}

bool same_part(const std::optional<std::string>& expected, const std::optional<std::string>& actual,
               const harness::Json& expected_json, const harness::Json& actual_json) {
  if (expected == actual) return true;
  // The entries of a map come in any order.
  return expected && actual && harness::same_json(expected_json, actual_json);
}

std::string describe(const StoredRecord& record, const SourceDef& bare,
                     const std::optional<harness::RecordSpec::Window>& window, std::optional<std::int64_t> time,
                     TestBed& bed) {
  const auto decoded = harness::decode_record(record, bare, &bed.registry());
  std::string text = fmt::format("key: {}", harness::print_json(decoded.key));
  if (window) text += fmt::format(", window: {}..{}", window->start, window->end);
  text += fmt::format(", value: {}", harness::print_json(decoded.value));
  if (time) text += fmt::format(", ROWTIME: {}", *time);
  return text;
}

std::string describe_expected(const ExpectedRecord& expected, const SourceDef& bare, TestBed& bed) {
  std::string text = describe(expected.record, bare, std::nullopt, expected.time, bed);
  if (expected.window_start) text += fmt::format(", WINDOWSTART: {}", *expected.window_start);
  if (expected.window_end) text += fmt::format(", WINDOWEND: {}", *expected.window_end);
  return text;
}

void expect_same(std::string_view what, const std::string& source, const std::string& expected,
                 const std::string& actual, Span at) {
  if (expected == actual) return;
  fail(fmt::format("Expected {} does not match actual for source {}.\n\tExpected: {}\n\tActual: {}", what, source,
                   expected, actual),
       at);
}

std::string format_text(const FormatInfo& format) {
  return format.name == "DELIMITED" ? fmt::format("DELIMITED with '{}'", format.delimiter) : format.name;
}

std::string window_text(const std::optional<WindowInfo>& window) {
  if (!window) return "none";
  constexpr std::string_view kNames[] = {"TUMBLING", "HOPPING", "SESSION"};
  const std::string name(kNames[static_cast<std::size_t>(window->type)]);
  return window->size_ms ? fmt::format("{} {} ms", name, *window->size_ms) : name;
}

std::string wrap_text(const std::optional<bool>& wrap) {
  return !wrap ? "not set" : *wrap ? "true" : "false";
}

/// Fills in what the statement leaves open from the source as it is.
ast::CreateSource completed(const ast::CreateSource& statement, const SourceDef& actual) {
  ast::CreateSource full = statement;
  const auto add = [&](const std::string& name, const std::string& value) {
    for (const ast::Property& property : full.properties)
      if (property.name == name || (property.name == "FORMAT" && name == "VALUE_FORMAT")) return;
    full.properties.push_back({name, std::make_shared<ast::Expression>(ast::StringLiteral{value}, Span{}), {}});
  };
  add("KAFKA_TOPIC", actual.topic);
  add("VALUE_FORMAT", actual.value_format.name);
  return full;
}

void compare_sources(const SourceDef& expected, const SourceDef& actual, const ast::CreateSource& statement, Span at) {
  const auto same = [&](std::string_view what, const std::string& wanted, const std::string& got) {
    expect_same(what, actual.name, wanted, got, at);
  };
  if (!statement.columns.empty()) same("schema", expected.schema.to_string(), actual.schema.to_string());
  if (statement.properties.empty()) return;
  same("kafka topic", expected.topic, actual.topic);
  same("key format", format_text(expected.key_format), format_text(actual.key_format));
  same("value format", format_text(expected.value_format), format_text(actual.value_format));
  same("window", window_text(expected.window), window_text(actual.window));
  same("timestamp column", expected.timestamp_column.value_or("none"), actual.timestamp_column.value_or("none"));
  same("timestamp format", expected.timestamp_format.value_or("none"), actual.timestamp_format.value_or("none"));
  same("WRAP_SINGLE_VALUE", wrap_text(expected.wrap_single_value), wrap_text(actual.wrap_single_value));
}

}  // namespace

void TestAsserts::check(const ast::AssertValues& statement, Span at) {
  const Catalog catalog = bed_.catalog();
  const SourceDef& source = require_source(catalog, statement.source.text, "", at);
  const ExpectedRecord expected = bind_expected(statement, source, bed_.properties(), catalog, at);
  SourceDef bare = source;  // keys without window bounds
  bare.window.reset();
  const std::vector<StoredRecord>& records = bed_.records(source.topic);
  std::size_t& next = read_[source.topic];
  if (next >= records.size()) {
    std::string text = "Expected another record, but all records have already been read:";
    for (StoredRecord record : records) {
      const auto window = take_window(record, source, bed_);
      text += "\n\t" + describe(record, bare, window, record.timestamp, bed_);
    }
    fail(text, at);
  }
  StoredRecord actual = records[next++];
  const auto window = take_window(actual, source, bed_);
  const auto wanted = harness::decode_record(expected.record, bare, &bed_.registry());
  const auto got = harness::decode_record(actual, bare, &bed_.registry());
  const bool same = same_part(expected.record.key, actual.key, wanted.key, got.key) &&
                    same_part(expected.record.value, actual.value, wanted.value, got.value) &&
                    (!expected.time || *expected.time == actual.timestamp) &&
                    (!expected.window_start || (window && window->start == *expected.window_start)) &&
                    (!expected.window_end || (window && window->end == *expected.window_end));
  if (!same)
    fail(fmt::format("Expected record does not match actual.\n\tExpected: {}\n\tActual: {}",
                     describe_expected(expected, bare, bed_), describe(actual, bare, window, actual.timestamp, bed_)),
         at);
}

void TestAsserts::check(const ast::AssertSource& statement, Span at) const {
  Catalog catalog = bed_.catalog();
  const std::string& name = statement.expected.name.text;
  const SourceDef actual =
      require_source(catalog, name, statement.expected.kind == ast::SourceKind::stream ? "Stream " : "Table ", at);
  const bool stream = statement.expected.kind == ast::SourceKind::stream;
  expect_same("type", name, stream ? "STREAM" : "TABLE", actual.kind == RelationKind::stream ? "STREAM" : "TABLE", at);
  if (statement.expected.columns.empty() && statement.expected.properties.empty()) return;
  catalog.sources.erase(name);
  ast::CreateSource full = completed(statement.expected, actual);
  if (full.columns.empty()) {
    // Only the properties are asserted; the columns are needed to read them.
    for (const auto& column : parse_columns(actual.schema.to_string(false))) full.columns.push_back(column);
    for (std::size_t i = 0; i < full.columns.size(); ++i)
      if (actual.schema.columns[i].role == ColumnRole::key)
        full.columns[i].role = stream ? ast::ColumnRole::key : ast::ColumnRole::primary_key;
    std::erase_if(full.columns, [&](const ast::ColumnDefinition& column) {
      return actual.schema.columns[*actual.schema.find(column.name.text)].role == ColumnRole::header;
    });
  }
  NoTopics topics;
  const BoundCreate bound =
      bind_create(full, {catalog, builtin_functions(), topics, bed_.properties(), evaluate_constant});
  compare_sources(bound.source, actual, statement.expected, at);
}

}  // namespace millrace::inline cli
