#include <gtest/gtest.h>

#include "tests/fuzz/random_sql.h"

namespace millrace {
namespace {

TEST(Fuzz, TreesComeBackEqualAndNoTextCrashesTheParser) {
  std::string report;
  EXPECT_EQ(fuzz::fuzz_parser(7, 400, report), 0) << report;
}

}  // namespace
}  // namespace millrace
