#pragma once

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/testing/test_log.h"
#include "parser/ast/statement.h"
#include "parser/syntax/parse.h"
#include "server/session/service.h"

namespace millrace::inline cli {

/// Why a test did not go through.
struct TestFailure : std::runtime_error {
  enum class Kind : std::uint8_t { parse, statement, assertion, query };
  TestFailure(Kind why, const std::string& message, Span at = {}) : std::runtime_error(message), kind(why), span(at) {}
  Kind kind;
  Span span;  // of the statement at fault, in the text of the test
};

/// What `millrace test` runs on: a service on a memory log that steps. After each statement and each record all queries
/// have done their work. Every topic has one partition, so that its records have one order; every change is emitted;
/// queries begin with the earliest record. One thread.
class TestBed {
 public:
  /// Throws TestFailure.
  explicit TestBed(Dialect dialect);
  ~TestBed();

  /// Runs a statement that is no query and no assertion of a test. Throws TestFailure.
  void run(const ast::Statement& statement);
  /// Makes the topic unless it is there.
  void declare_topic(const std::string& name, int replicas = 1);
  /// Appends one record. Throws TestFailure when no source says how the topic's records look.
  void feed(const harness::RecordSpec& record);
  /// All that the topic has got so far, oldest first.
  const std::vector<harness::StoredRecord>& records(const std::string& topic);

  Catalog catalog() const { return service_->catalog(); }
  const PropertyMap& properties() const { return properties_; }
  SchemaRegistry& registry() const { return service_->registry(); }
  /// The source whose formats the records of a topic have: the one that a query fills rather than one declared over
  /// it. Null when there is none.
  SourcePtr source_on(const std::string& topic) const;

 private:
  void settle(Span at);
  void note_time(const std::string& topic);

  PropertyMap properties_;
  std::int64_t clock_ = 0;  // time of the newest row inserted or fed
  harness::TestLog log_;
  std::unique_ptr<Service> service_;
  std::map<std::string, std::vector<harness::StoredRecord>> records_;  // by topic
};

}  // namespace millrace::inline cli
