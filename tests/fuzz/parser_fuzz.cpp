// fuzz_parser [SECONDS [SEED]]: random trees and mangled texts through the parser until time is up.
#include <chrono>
#include <iostream>
#include <string>

#include "tests/fuzz/random_sql.h"

int main(int argc, char** argv) {
  const auto seconds = std::chrono::seconds(argc > 1 ? std::stoi(argv[1]) : 10);
  std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : std::random_device()();
  const auto stop = std::chrono::steady_clock::now() + seconds;
  std::string report;
  constexpr int kRounds = 100;
  int rounds = 0;
  int failures = 0;
  for (; std::chrono::steady_clock::now() < stop && failures == 0; ++seed, rounds += kRounds) {
    failures = millrace::fuzz::fuzz_parser(seed, kRounds, report);
  }
  std::cout << report << "fuzz_parser: " << 2 * rounds << " texts, " << failures << " failures\n";
  return failures == 0 ? 0 : 1;
}
