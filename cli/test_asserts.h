#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "cli/test_bed.h"
#include "parser/ast/statement.h"

namespace millrace::inline cli {

/// The assertions of a test script. Each throws TestFailure when what it says does not hold. One thread.
class TestAsserts {
 public:
  explicit TestAsserts(TestBed& bed) : bed_(bed) {}
  /// ASSERT VALUES, ASSERT NULL VALUES: the next record of the source's topic.
  void check(const ast::AssertValues& statement, Span at);
  /// ASSERT STREAM, ASSERT TABLE: its definition.
  void check(const ast::AssertSource& statement, Span at) const;

 private:
  TestBed& bed_;
  std::map<std::string, std::size_t> read_;  // records asserted so far, by topic
};

}  // namespace millrace::inline cli
