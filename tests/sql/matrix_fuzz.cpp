#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "planner/rules/rules.h"
#include "tests/sql/world.h"

/// fuzz_sql_files SECONDS [SEED] [FOLDER]: runs random data files in random combinations of batch size, rules, restarts
/// and emission until the time is over. Exit status 1 and the combination when a file comes out differently.
namespace millrace::sql_test {
namespace {

using Random = std::mt19937_64;

bool coin(Random& random) {
  return (random() & 1) != 0;
}

Variant random_variant(Random& random) {
  static constexpr std::size_t kSizes[] = {1, 2, 3, 7, kMaxBatchRows};
  Variant variant{.name = "matrix", .rules_off = {}};
  variant.batch_rows = kSizes[random() % std::size(kSizes)];
  for (const Rule& rule : rules())
    if (rule.optional && coin(random)) variant.rules_off.insert(std::string(rule.name));
  variant.restart = coin(random);
  variant.clean = coin(random);
  variant.on_disk = random() % 4 == 0;
  variant.last_values = random() % 4 == 0;
  return variant;
}

std::string describe(const Variant& variant) {
  std::string off;
  for (const auto& rule : variant.rules_off) off += (off.empty() ? "" : ",") + rule;
  return fmt::format("batches of {}, rules off: {}, restart: {}, clean: {}, on disk: {}, last values: {}",
                     variant.batch_rows, off.empty() ? "none" : off, variant.restart, variant.clean, variant.on_disk,
                     variant.last_values);
}

std::string run_file(const std::filesystem::path& file, const Variant& variant) {
  World world(variant);
  for (const Step& step : read_script(file)) {
    const std::string problem = std::visit([&](const auto& what) { return world.run(what); }, step.what);
    if (!problem.empty()) return fmt::format("{}:{}: {}", file.filename().string(), step.line, problem);
  }
  return {};
}

int run(std::chrono::seconds time, std::uint64_t seed, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  Random random(seed);
  std::uint64_t runs = 0;
  for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end; ++runs) {
    const auto& file = files[random() % files.size()];
    const Variant variant = random_variant(random);
    std::string problem;
    try {
      problem = run_file(file, variant);
    } catch (const std::exception& error) {
      problem = fmt::format("{}: {}", file.filename().string(), error.what());
    }
    if (problem.empty()) continue;
    std::cout << fmt::format("{}\n{}\nseed {}, run {}\n", problem, describe(variant), seed, runs);
    return 1;
  }
  std::cout << fmt::format("{} runs of {} files, seed {}: all equal\n", runs, files.size(), seed);
  return 0;
}

}  // namespace
}  // namespace millrace::sql_test

int main(int count, char** values) {
  const std::chrono::seconds time(count > 1 ? std::atoi(values[1]) : 10);
  const std::uint64_t seed = count > 2 ? std::strtoull(values[2], nullptr, 10) : std::random_device{}();
  return millrace::sql_test::run(time, seed, count > 3 ? values[3] : MILLRACE_SQL_FILES);
}
