#include "exec/state/pair_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include "exec/state/key_codec.h"
#include "exec/state/spill.h"

namespace millrace {
namespace {

using NumberPairs = std::set<std::pair<int, int>>;

std::string pair_part(int number) {
  const ColumnDef column{"K", Type::integer(), ColumnRole::key, {}};
  const Value value(number);
  return encode_key({&value, 1}, {&column, 1});
}

class PairStoreTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    if (!GetParam()) return;
    auto opened = StateDb::open({.directory = directory_});
    ASSERT_TRUE(opened) << opened.error().message;
    db_ = std::move(*opened);
  }
  void TearDown() override {
    store_.reset();
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    auto made =
        PairStore::open({.db = db_.get(), .prefix = "q|s|0|x", .changelog = false, .retention_ms = {}, .attach = {}});
    ASSERT_TRUE(made) << made.error().message;
    store_ = std::move(*made);
  }
  NumberPairs with(int first) {
    NumberPairs out;
    std::string last;
    EXPECT_TRUE(store_->visit(pair_part(first), [&](std::string_view second) -> Status {
      EXPECT_LT(last, second);
      last = second;
      for (int i = 0; i < 30; ++i)
        if (pair_part(i) == second) out.emplace(first, i);
      return {};
    }));
    return out;
  }
  void check(const NumberPairs& expected) {
    for (int first = 0; first < 6; ++first)
      ASSERT_EQ(with(first), NumberPairs(expected.lower_bound({first, 0}), expected.lower_bound({first + 1, 0})));
  }
  /// The same store, everything that is committed in RocksDB.
  void write() {
    auto file = db_->new_file();
    ASSERT_TRUE(file);
    ASSERT_TRUE(store_->write(**file));
    ASSERT_TRUE((*file)->finish());
    store_->written();
  }

  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("millrace_pairs_" + std::to_string(getpid()));
  std::unique_ptr<StateDb> db_;
  std::unique_ptr<PairStore> store_;
};

class NoChanges final : public ChangelogSink {
  Status put(std::string_view, std::optional<std::string_view>) override { return {}; }
};

TEST_P(PairStoreTest, EqualsASetThroughCommitsAndSpills) {
  open();
  std::mt19937 random(7);
  NoChanges none;
  NumberPairs current, under_way, committed;
  bool committing = false;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(store_->load(pair_part(i % 6), pair_part(i)));
    committed.emplace(i % 6, i);
  }
  current = committed;
  for (int step = 0; step < 400; ++step) {
    switch (random() % 12) {
      case 0:
        if (committing) break;
        ASSERT_TRUE(store_->begin_commit(none));
        under_way = current;
        committing = true;
        break;
      case 1:
        if (!committing) break;
        store_->commit_done(0);
        committed = under_way;
        committing = false;
        break;
      case 2:
        if (random() % 4 != 0) break;
        store_->roll_back();
        current = committed;
        committing = false;
        break;
      case 3:
        if (db_ != nullptr && !committing && random() % 3 == 0) write();
        break;
      default: {
        const int first = static_cast<int>(random() % 6), second = static_cast<int>(random() % 30);
        if (random() % 2 == 0) {
          store_->add(pair_part(first), pair_part(second));
          current.emplace(first, second);
        } else {
          store_->remove(pair_part(first), pair_part(second));
          current.erase({first, second});
        }
      }
    }
    check(current);
    if (HasFatalFailure()) FAIL() << "step " << step;
  }
  open();  // it is made anew
  check({});
  EXPECT_EQ(store_->memory_bytes(), 0u);
}

TEST_P(PairStoreTest, DoesNotGrowInMemoryOverRocksDb) {
  if (db_ == nullptr) GTEST_SKIP() << "memory is all there is";
  open();
  NoChanges none;
  constexpr int kPairs = 100'000;
  for (int i = 0; i < kPairs; ++i) {
    if (i % 2 == 0) {
      ASSERT_TRUE(store_->load(pair_part(i % 100), pair_part(i)));
      continue;
    }
    store_->add(pair_part(i % 100), pair_part(i));
    if (i % 5000 != 1) continue;
    ASSERT_TRUE(store_->begin_commit(none));
    store_->commit_done(0);
    ASSERT_TRUE(store_->spill(0));
  }
  EXPECT_LT(store_->memory_bytes(), 10u << 20);
  int seen = 0;
  ASSERT_TRUE(store_->visit(pair_part(7), [&](std::string_view) -> Status { return ++seen, Status(); }));
  EXPECT_EQ(seen, kPairs / 100);
}

INSTANTIATE_TEST_SUITE_P(, PairStoreTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "disk" : "memory"; });

}  // namespace
}  // namespace millrace
