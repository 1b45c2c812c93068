#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/testing/record_spec.h"

/// The format of tests/sql/*.test:
///
///     # a comment
///     statement ok
///     CREATE STREAM ...;                     up to the line that ends in a semicolon
///     statement error unknown_column at 1:8  a code of parser/error, and the place if given
///     SELECT ...;
///     statement error invalid_key saying Key missing   ... with a message that contains the text; \n is a line break
///     CREATE ...;
///     schema clicks-value AVRO               registers what follows, up to an empty line
///     {"type": "record", ...}
///     feed clicks                            key | value | timestamp, or key | window | value | timestamp
///     "a" | {"url": "/"} | 1000              JSON; `raw ...` gives a value's bytes as they are
///     expect counts                          every record that came since the last expect; a window is start..end
///     (session: "a" | 0..10000 | {"N": 1} | 1000       start..end inclusive, after the word session); the timestamp
///     may be left out
///     bag counts, final counts               as expect, but in any order; only the newest value of each key
///     clock 30000                            the wall clock goes on by so many milliseconds
///     metric counts late_rows 1              of the query that fills the source, since its start
///     fails counts some text                 the query has stopped with an error that contains the text
///     query                                  a push query over what is there now, or a pull query on a table (without
///     EMIT); its rows, in any order unless it has ORDER BY
///     SELECT ... EMIT CHANGES;
///     ["a", 1]                               JSON; `tombstone ["a", null]` where a row is withdrawn
///     query zeros alike                      the same; -0.0 is as good as 0.0
///     error some text                        instead of rows: it fails while it runs, and says so
///     clock at 1893456001000                 the wall clock is put to that time
///     pull counts                            all rows that the table's query keeps, in any order
///     ["a", 0, 10000, 1]                     key columns, window bounds, value columns
///
/// Names of sources are upper-cased. Rows end at an empty line or at the next step.
namespace millrace::sql_test {

using harness::RecordSpec;

struct StatementStep {
  std::string text;
  std::string error;     // name of the code; empty: must succeed
  std::string position;  // line:column; empty: not checked
  std::string message;   // part of what the error says; empty: not checked
};
struct SchemaStep {
  std::string subject, kind, text;
};
struct FeedStep {
  std::string source;
  std::vector<RecordSpec> rows;
};
struct ExpectStep {
  enum class Compare : std::uint8_t { all, bag, last };
  std::string source;
  Compare compare = Compare::all;
  std::vector<RecordSpec> rows;
};
struct MetricStep {
  std::string source, metric;
  std::uint64_t value = 0;
};
struct ClockStep {
  std::int64_t milliseconds = 0;
  bool absolute = false;
};
struct FailsStep {
  std::string source, text;
};
struct QueryStep {
  std::string text;
  std::string failure;  // part of why it must fail while it runs; empty: it must not
  std::vector<std::string> rows;
  bool zeros_alike = false;
};
struct PullStep {
  std::string source;
  std::vector<std::string> rows;
};
struct Step {
  int line = 0;
  std::variant<StatementStep, SchemaStep, FeedStep, ExpectStep, MetricStep, FailsStep, QueryStep, PullStep, ClockStep>
      what;
};

/// Throws std::runtime_error that names file and line.
std::vector<Step> read_script(const std::filesystem::path& path);

}  // namespace millrace::sql_test
