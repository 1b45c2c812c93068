#include "cli/test_records.h"

#include <fmt/format.h>

#include <set>

#include "cli/test_bed.h"
#include "cli/testing/wire.h"
#include "parser/syntax/parse.h"

namespace millrace::inline cli {
namespace {

using harness::RecordSpec;

[[noreturn]] void fail(const std::string& message) {
  throw TestFailure(TestFailure::Kind::assertion, message);
}

std::string describe(const harness::StoredRecord& record, const SourceDef& sink, TestBed& bed) {
  const auto decoded = harness::decode_record(record, sink, &bed.registry());
  std::string text = fmt::format("key: {}", print_json(decoded.key));
  if (decoded.window) text += fmt::format(", window: {}..{}", decoded.window->start, decoded.window->end);
  return text + fmt::format(", value: {}, timestamp: {}", print_json(decoded.value), record.timestamp);
}

std::string describe(const RecordSpec& record) {
  std::string text = fmt::format("key: {}", print_json(record.key));
  if (record.window) text += fmt::format(", window: {}..{}", record.window->start, record.window->end);
  text += fmt::format(", value: {}", print_json(record.value));
  return record.has_timestamp ? text + fmt::format(", timestamp: {}", record.timestamp) : text;
}

void compare_topic(const std::string& topic, const std::vector<const RecordSpec*>& expected, TestBed& bed,
                   bool any_zero_timestamp) {
  const SourcePtr sink = bed.source_on(topic);
  if (!sink) fail(fmt::format("no stream or table writes the output topic {}", topic));
  const auto& actual = bed.records(topic);
  for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
    const auto difference =
        harness::compare_record(*expected[i], actual[i], *sink, true, any_zero_timestamp, &bed.registry());
    if (difference)
      fail(fmt::format("Topic {}, record {}: {}\n\tExpected: {}\n\tActual: {}", topic, i + 1, *difference,
                       describe(*expected[i]), describe(actual[i], *sink, bed)));
  }
  if (expected.size() == actual.size()) return;
  std::string text = fmt::format("Topic {}: expected {} records, got {}", topic, expected.size(), actual.size());
  for (std::size_t i = expected.size(); i < actual.size(); ++i)
    text += "\n\tNot expected: " + describe(actual[i], *sink, bed);
  for (std::size_t i = actual.size(); i < expected.size(); ++i) text += "\n\tMissing: " + describe(*expected[i]);
  fail(text);
}

}  // namespace

void run_record_test(const std::string& statements, const std::vector<RecordSpec>& inputs,
                     const std::vector<RecordSpec>& outputs, Dialect dialect) {
  try {
    const auto parsed = parse(statements, dialect);
    TestBed bed(dialect);
    for (const auto* list : {&inputs, &outputs})
      for (const RecordSpec& record : *list) bed.declare_topic(record.topic);
    for (const auto& statement : parsed) bed.run(*statement);
    for (const RecordSpec& record : inputs) bed.feed(record);
    std::map<std::string, std::vector<const RecordSpec*>> by_topic;
    for (const RecordSpec& record : outputs) by_topic[record.topic].push_back(&record);
    for (const auto& [topic, expected] : by_topic) compare_topic(topic, expected, bed, inputs.empty());
  } catch (const SqlError& error) {
    throw TestFailure(TestFailure::Kind::statement, render_error(error, statements), error.span());
  }
}

}  // namespace millrace::inline cli
