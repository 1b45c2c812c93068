#include "exec/state/state_db.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace millrace {
namespace {

class StateDbFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto opened = StateDb::open({.directory = directory_});
    ASSERT_TRUE(opened);
    db_ = std::move(*opened);
  }
  void TearDown() override {
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  static std::string key(int segment, int row) { return fmt::format("{:04}{:04}", segment, row); }
  /// A file with some segments of each of some stores.
  void write(std::initializer_list<std::uint32_t> stores, int from, int to) {
    auto file = db_->new_file();
    ASSERT_TRUE(file);
    for (const std::uint32_t id : stores) {
      ASSERT_TRUE((*file)->begin(id, to, 0));
      for (int segment = from; segment < to; ++segment)
        for (int row = 0; row < kRows; ++row)
          ASSERT_TRUE((*file)->put(key(segment, row), fmt::format("{:x>500}", segment * 7919 + row * 31)));
    }
    ASSERT_TRUE((*file)->finish());
  }
  void drop(std::uint32_t id, int segment) { ASSERT_TRUE(db_->drop_range(id, key(segment, 0), key(segment + 1, 0))); }
  std::uintmax_t bytes() const {
    std::uintmax_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      if (entry.path().extension() == ".sst") sum += entry.file_size();
    return sum;
  }
  std::uint32_t store(const std::string& name) { return *db_->id(name); }

  static constexpr int kRows = 200;
  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("millrace_files_" + std::to_string(getpid()));
  std::unique_ptr<StateDb> db_;
};

TEST_F(StateDbFiles, AFileLeavesWithTheLastOfItsSegments) {
  const std::uint32_t id = store("q|a|0");
  write({id}, 0, 3);
  const std::uintmax_t one = bytes();
  write({id}, 3, 6);
  for (int segment = 0; segment < 3; ++segment) drop(id, segment);
  EXPECT_LT(bytes(), one * 3 / 2);
  EXPECT_EQ(**db_->seek(id, {}), key(3, 0));
}

TEST_F(StateDbFiles, WhatHasExpiredLeavesFilesOfSeveralStores) {
  const std::uint32_t first = store("q|a|0"), second = store("q|b|0");
  std::uintmax_t early = 0;
  for (int segment = 0; segment < 60; ++segment) {
    write({first, second}, segment, segment + 1);
    if (segment >= 2)
      for (const std::uint32_t id : {first, second}) drop(id, segment - 2);
    if (segment == 12) early = bytes();
  }
  for (int wait = 0; wait < 100 && bytes() > 2 * early; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(bytes(), 2 * early);
}

}  // namespace
}  // namespace millrace
