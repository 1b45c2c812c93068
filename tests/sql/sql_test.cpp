#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/sql/world.h"

namespace millrace::sql_test {
namespace {

const std::vector<Variant>& variants() {
  static const std::vector<Variant> kVariants = {
      {.name = "plain", .rules_off = {}},
      {.name = "one_row_batches", .batch_rows = 1, .rules_off = {}},
      {.name = "rules_off", .rules_off = {"all"}},
      {.name = "restart", .rules_off = {}, .restart = true},
      {.name = "restart_on_disk", .rules_off = {}, .restart = true, .clean = true, .on_disk = true},
      {.name = "last_values", .rules_off = {}, .last_values = true},
      {.name = "last_values_one_row", .batch_rows = 1, .rules_off = {}, .last_values = true},
      {.name = "last_values_rules_off", .rules_off = {"all"}, .last_values = true},
      {.name = "last_values_restart", .rules_off = {}, .restart = true, .last_values = true},
      {.name = "two_workers", .rules_off = {}, .workers = 2},
      {.name = "two_workers_restart", .rules_off = {}, .restart = true, .workers = 2},
      {.name = "crash_midway", .rules_off = {}, .midway = true, .workers = 2},
      {.name = "crash_midway_on_disk",
       .rules_off = {},
       .midway = true,
       .on_disk = true,
       .last_values = true,
       .workers = 2},
      {.name = "last_values_on_disk", .rules_off = {}, .restart = true, .on_disk = true, .last_values = true},
      {.name = "shared_restart", .rules_off = {}, .restart = true, .shares = true},
      {.name = "shared_crash_midway",
       .rules_off = {},
       .midway = true,
       .on_disk = true,
       .last_values = true,
       .workers = 2,
       .shares = true}};
  return kVariants;
}

class FileTest : public testing::Test {
 public:
  FileTest(std::filesystem::path path, const Variant& variant) : path_(std::move(path)), variant_(variant) {}

  void TestBody() override {
    World world(variant_);
    for (const Step& step : read_script(path_)) {
      std::string problem;
      try {
        problem = std::visit([&](const auto& what) { return world.run(what); }, step.what);
      } catch (const std::exception& error) {
        problem = error.what();
      }
      if (!problem.empty()) GTEST_FAIL() << path_.filename().string() << ":" << step.line << ": " << problem;
    }
  }

 private:
  const std::filesystem::path path_;
  const Variant& variant_;
};

void register_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files)
    for (const Variant& variant : variants())
      testing::RegisterTest("Sql", fmt::format("{}/{}", file.stem().string(), variant.name).c_str(), nullptr, nullptr,
                            __FILE__, __LINE__,
                            [file, &variant]() -> testing::Test* { return new FileTest(file, variant); });
}

}  // namespace
}  // namespace millrace::sql_test

/// test_sql [FOLDER]: runs every *.test of the folder (tests/sql by default) in every variant.
int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  millrace::sql_test::register_files(count > 1 ? values[1] : "tests/sql");
  return RUN_ALL_TESTS();
}
