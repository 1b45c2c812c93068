#include "exec/runtime/slot_table.h"

#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

using namespace std::chrono_literals;

constexpr SlotId kFirst{1}, kSecond{3};

class SlotTableTest : public testing::Test {
 protected:
  SlotTableTest() : table_(std::move(*SlotTable::open(*bench_.log, "slots", {.partitions = 4}))) {}

  void write(SlotId slot, const std::string& key, const std::string& value) {
    auto writer = std::move(*bench_.log->writer("writer", nullptr));
    ASSERT_TRUE(writer->append(*writer->topic("slots"), partition_of(slot), key, value, RecordTime{1}));
    ASSERT_TRUE(writer->commit());
    ASSERT_EQ(writer->commit_state(5s).outcome, Writer::Outcome::committed);
  }

  Bench bench_{{}};
  std::unique_ptr<SlotTable> table_;
};

TEST_F(SlotTableTest, ARefreshReadsWhatItIsAskedFor) {
  write(kFirst, "a", "1");
  write(kSecond, "b", "2");
  const std::vector<SlotId> one{kFirst};
  ASSERT_TRUE(table_->refresh(one));
  EXPECT_EQ(table_->find(kFirst, "a"), "1");
  EXPECT_EQ(table_->find(kSecond, "b"), std::nullopt);
}

TEST_F(SlotTableTest, WhoFollowsKnowsAllSlots) {
  write(kFirst, "a", "1");
  ASSERT_TRUE(table_->follow());
  write(kFirst, "a", "2");
  write(kSecond, "b", "3");
  ASSERT_TRUE(table_->follow());
  EXPECT_EQ(table_->find(kFirst, "a"), "2");
  EXPECT_EQ(table_->find(kSecond, "b"), "3");
}

TEST_F(SlotTableTest, OnceStoppedItReadsNoMore) {
  table_->stop();
  EXPECT_FALSE(table_->follow());
}

}  // namespace
}  // namespace millrace::runtime_test
