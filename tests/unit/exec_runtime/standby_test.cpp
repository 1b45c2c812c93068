#include "exec/runtime/standby.h"

#include <unistd.h>

#include "exec/runtime/loans.h"
#include "exec/runtime/slot_table.h"
#include "exec/runtime/standby_places.h"
#include "exec/runtime/table_reader.h"
#include "exec/state/state_db.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

const std::vector<std::string> kMembers = {"a:1", "b:1", "c:1", "d:1"};

TEST(StandbyPlaces, NobodyKeepsACopyOfItsOwn) {
  for (const SlotId slot : all_slots(64))
    for (const std::string& owner : kMembers) {
      int copies = 0;
      for (const std::string& member : kMembers) copies += keeps_copy(member, slot, owner, kMembers, 2) ? 1 : 0;
      EXPECT_EQ(copies, 2);
      EXPECT_FALSE(keeps_copy(owner, slot, owner, kMembers, 3));
    }
}

TEST(StandbyPlaces, OneThatGoesMovesNoCopyOfOthers) {
  std::map<std::string, int> load;
  for (const SlotId slot : all_slots(64)) {
    const auto before = by_rank(slot, "a:1", kMembers);
    ++load[before.front()];
    auto rest = kMembers;
    std::erase(rest, before.front());
    EXPECT_EQ(by_rank(slot, "a:1", rest), std::vector<std::string>(before.begin() + 1, before.end()));
  }
  for (const auto& [member, slots] : load) EXPECT_GT(slots, 8) << member;
}

TEST(Loans, ReadBackWhatTheySay) {
  const Loan loan{"https://[::1]:8088", 0xfedcba9876543210U};
  EXPECT_EQ(decode_loan(encode_loan(loan)), loan);
  for (const char* bytes : {"", "1 ", "1 7", "1 x a:1", "2 7 a:1", "17 a:1"}) EXPECT_FALSE(decode_loan(bytes)) << bytes;
}

class StandbyTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("millrace-standby-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
    plan_ = std::make_shared<const PhysicalPlan>(bench_.plan(
        "CREATE STREAM orders (item STRING KEY, n BIGINT) WITH (kafka_topic='orders', value_format='JSON', "
        "partitions=3);"
        "CREATE TABLE counts WITH (kafka_topic='counts') AS SELECT item, SUM(n) AS s FROM orders GROUP BY item;",
        3, {{"cache.max.bytes.buffering", "10000000"}}));
    bench_.start(*plan_);
    auto opened = StateDb::open({.directory = directory_ / "state"});
    ASSERT_TRUE(opened);
    state_ = std::move(*opened);
    TopicSizes sizes(*bench_.log);
    auto layout = make_layout(sizes, *plan_, 8);
    ASSERT_TRUE(layout);
    run_ = std::make_shared<QueryRun>(plan_, std::move(*layout));
    for (int partition = 0; partition < 3; ++partition) {
      wanted_.push_back({run_, {0, partition, run_->layout.slot_of(0, partition)}});
      slots_.push_back(wanted_.back().place.slot);
    }
    copies_ = make_copies();
    copies_->keep(wanted_);
  }
  void TearDown() override {
    copies_.reset();
    state_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<StandbyCopies> make_copies() {
    StandbyCopies::Setup setup;
    setup.log = &*bench_.log;
    setup.state = state_.get();
    setup.events = &events_;
    setup.client_id = "standby";
    setup.memory_bytes = 1 << 10;  // so that it writes
    setup.share = 1;
    setup.progress = [](std::span<const StandbyCopies::Wanted> wanted) {
      return std::vector<std::optional<Progress>>(wanted.size(), Progress{});
    };
    return std::make_unique<StandbyCopies>(std::move(setup));
  }
  void feed(int from, int to) {
    for (int i = from; i < to; ++i)
      bench_.feed("orders", "i" + std::to_string(i % 50), R"({"N":)" + std::to_string(i) + "}", i);
    bench_.settle();
    for (int i = from; i < to; ++i) sums_[i % 50] += i;
  }
  std::int64_t changelog_end(int partition) {
    return bench_.log->bounds({plan_->subtopologies[0].stores[0].changelog_topic, partition})->end;
  }
  bool caught_up() {
    const auto report = copies_->report();
    return report.size() == 3 && std::ranges::all_of(report, [&](const StandbyCopies::Copy& copy) {
             return copy.behind() == 0 && copy.stores.at(0).position == changelog_end(copy.partition);
           });
  }
  void await_copies() {
    const auto deadline = Clock::now() + std::chrono::seconds{20};
    while (!caught_up() && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    ASSERT_TRUE(caught_up());
  }
  /// As the copy has it.
  std::optional<std::int64_t> sum_of(const std::string& item, std::int64_t lag) {
    auto reader = TableReader::make(plan_).value();
    const std::vector<Value> key{Value(item)};
    TableReader::Entries entries;
    const auto visited = copies_->visit(plan_->query_id, 0, *reader->partition_of(key, 3), lag, [&](Task& task) {
      EXPECT_TRUE(reader->look_up(task, reader->key_bytes(key), {}, entries));
    });
    if (visited != StandbyCopies::Visited::yes) return std::nullopt;
    const Batch rows = reader->rows(entries, {}).value();
    if (rows.rows != 1) return -1;
    return get_value(*rows.columns.back(), 0).as<std::int64_t>();
  }
  void expect_sums(std::int64_t lag) {
    for (const auto& [item, sum] : sums_) EXPECT_EQ(sum_of("i" + std::to_string(item), lag), sum) << item;
  }

  std::filesystem::path directory_;
  Bench bench_{{}};
  EngineEvents events_;
  std::shared_ptr<const PhysicalPlan> plan_;
  std::unique_ptr<StateDb> state_;
  std::shared_ptr<QueryRun> run_;
  std::vector<StandbyCopies::Wanted> wanted_;
  std::vector<SlotId> slots_;
  std::unique_ptr<StandbyCopies> copies_;
  std::map<int, int> sums_;
};

TEST_F(StandbyTest, CopiesFollowAndAnswer) {
  feed(0, 500);
  await_copies();
  expect_sums(0);
  feed(500, 700);
  await_copies();
  expect_sums(0);
  EXPECT_EQ(copies_->behind().at(slots_[0]), 0);
  copies_->forget(plan_->query_id);
  EXPECT_TRUE(copies_->report().empty());
  EXPECT_EQ(sum_of("i1", INT64_MAX), std::nullopt);
}

TEST_F(StandbyTest, WhatIsTakenIsOnDiskAndReadNoMore) {
  feed(0, 500);
  await_copies();
  copies_->take(slots_);
  EXPECT_TRUE(copies_->report().empty());
  for (int partition = 0; partition < 3; ++partition) {
    const auto id = state_->id(state_name(*plan_, plan_->subtopologies[0].stores[0].name, partition)).value();
    EXPECT_EQ(state_->position(id).value(), changelog_end(partition));
  }
  copies_->keep(wanted_);
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
  EXPECT_TRUE(copies_->report().empty());
  feed(500, 700);
  copies_->give_back(slots_);
  await_copies();
  expect_sums(0);
}

TEST_F(StandbyTest, ACopyThatIsMadeAnewGoesOnWhereItWas) {
  feed(0, 500);
  await_copies();
  copies_ = make_copies();
  feed(500, 520);
  copies_->keep(wanted_);
  await_copies();
  expect_sums(0);
}

/// It replays from the front: what it has on the way is of no moment, and may lack rows that are there.
TEST_F(StandbyTest, ACopyThatHasBegunAnswersOnlyWithAllThatWasThereThen) {
  copies_.reset();
  for (int i = 0; i < 40; ++i) feed(i * 50, (i + 1) * 50);
  for (int run = 0; run < 20; ++run) {
    state_.reset();
    std::filesystem::remove_all(directory_ / "state");
    state_ = StateDb::open({.directory = directory_ / "state"}).value();
    copies_ = make_copies();
    copies_->keep(wanted_);
    int behind = 0;
    const auto deadline = Clock::now() + std::chrono::seconds{20};
    for (int item = 0; item < 50 && Clock::now() < deadline;) {
      const auto sum = sum_of("i" + std::to_string(item), INT64_MAX);
      if (!sum) {
        ++behind;
        continue;
      }
      ASSERT_EQ(sum, sums_[item]) << item << " after " << behind << " refusals";
      ++item;
    }
    EXPECT_TRUE(caught_up());
    copies_.reset();
  }
}

}  // namespace
}  // namespace millrace::runtime_test
