#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/unit/exec_expr/random_expression.h"

/// fuzz_expressions [SECONDS [SEED]]: random expressions, column kernels against the naive evaluator.
int main(int count, char** values) {
  const auto seconds = std::chrono::seconds(count > 1 ? std::atoi(values[1]) : 10);
  std::uint64_t seed = count > 2 ? std::strtoull(values[2], nullptr, 10) : std::random_device{}();
  const std::uint64_t first = seed;
  for (const auto end = std::chrono::steady_clock::now() + seconds; std::chrono::steady_clock::now() < end; ++seed) {
    if (const auto problem = millrace::test::check_random_expression(seed)) {
      std::cerr << *problem << "\n";
      return 1;
    }
  }
  std::cout << seed - first << " expressions from seed " << first << "\n";
  return 0;
}
