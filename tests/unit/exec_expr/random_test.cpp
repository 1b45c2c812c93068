#include <gtest/gtest.h>

#include "random_expression.h"

namespace millrace::test {
namespace {

/// A bounded run of what fuzz_expressions does for longer.
TEST(RandomExpressions, KernelsAgreeWithTheNaiveEvaluator) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const auto problem = check_random_expression(seed);
    ASSERT_FALSE(problem) << *problem;
  }
}

}  // namespace
}  // namespace millrace::test
