#include <gmock/gmock.h>
#include <signal.h>

#include <set>
#include <thread>

#include "tests/kafka/broker.h"
#include "tests/kafka/member.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr int kSlots = 8;

/// One process as the group sees it: its membership polled by a thread of its own.
class Member {
 public:
  Member(Log& log, const std::string& prefix, const std::string& id)
      : membership(std::move(*log.membership(prefix + "group", prefix + "slots", id + ":1"))) {
    const auto joined = membership->join(
        id, {[this](const std::vector<SlotId>& slots) { change([&] { owned_.insert(slots.begin(), slots.end()); }); },
             [this](const std::vector<SlotId>& slots) { gone(slots, revoked_); },
             [this](const std::vector<SlotId>& slots) { gone(slots, lost_); }});
    EXPECT_TRUE(joined);
    thread_ = std::thread([this] {
      while (!stopping_) membership->poll(20ms).has_value();
    });
  }
  ~Member() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::set<SlotId> owned() {
    const std::lock_guard lock(mutex_);
    return owned_;
  }
  int lost() {
    const std::lock_guard lock(mutex_);
    return lost_;
  }
  int revoked() {
    const std::lock_guard lock(mutex_);
    return revoked_;
  }

  std::unique_ptr<Membership> membership;

 private:
  template <class Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    apply();
  }
  void gone(const std::vector<SlotId>& slots, int& counter) {
    change([&] {
      for (const SlotId slot : slots) owned_.erase(slot);
      ++counter;
    });
  }
  std::mutex mutex_;
  std::set<SlotId> owned_;
  int revoked_ = 0, lost_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class KafkaMembershipTest : public testing::Test {
 protected:
  KafkaMembershipTest() {
    EXPECT_TRUE(log_->create_topic(prefix_ + "slots", {.partitions = kSlots, .compacted = true}));
    EXPECT_TRUE(log_->create_topic(prefix_ + "out", {}));
  }
  template <class Condition>
  static bool eventually(Condition&& condition, std::chrono::milliseconds wait = 60s) {
    const auto deadline = Clock::now() + wait;
    while (Clock::now() < deadline) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  std::unique_ptr<Writer> writer(const std::string& id, Membership* member) {
    return std::move(log_->writer(prefix_ + id, member).value());
  }
  Writer::CommitState commit(Writer& writer, const std::string& value) {
    EXPECT_TRUE(writer.append(*writer.topic(prefix_ + "out"), 0, "k", value, RecordTime{1}));
    EXPECT_TRUE(writer.commit());
    return writer.commit_state(30s);
  }
  std::vector<std::string> values() {
    std::vector<std::string> list;
    const TopicPartition partition{prefix_ + "out", 0};
    const std::int64_t end = log_->bounds(partition, false)->end;
    auto reader = std::move(*log_->reader("values"));
    EXPECT_TRUE(reader->add(partition, kOffsetBeginning));
    const auto deadline = Clock::now() + 30s;
    for (std::int64_t next = 0; next < end && Clock::now() < deadline;) {
      const auto fetch = std::move(*reader->poll(1000, 100ms));
      if (!fetch) continue;
      for (const RecordView& record : fetch->records) list.emplace_back(*record.value);
      next = fetch->next_offset;
    }
    return list;
  }

  const std::string prefix_ = unique_prefix();
  const std::unique_ptr<Log> log_ =
      open_test_log({.brokers = {}, .properties = {{"session.timeout.ms", "3000"}, {"max.poll.interval.ms", "5000"}}});
};

TEST_F(KafkaMembershipTest, TwoMembersShareTheSlotsAndBothCommit) {
  Member first(*log_, prefix_, "first");
  ASSERT_TRUE(eventually([&] { return first.owned().size() == kSlots; }));
  auto out = writer("first", first.membership.get());
  EXPECT_EQ(commit(*out, "alone").outcome, Writer::Outcome::committed);

  Member second(*log_, prefix_, "second");
  ASSERT_TRUE(eventually([&] { return first.owned().size() == kSlots / 2 && second.owned().size() == kSlots / 2; }));
  EXPECT_EQ(first.revoked(), 1);
  auto other = writer("second", second.membership.get());
  // A commit of the moment of a rebalance may be refused; it is repeated.
  EXPECT_TRUE(eventually([&] { return commit(*out, "first").outcome == Writer::Outcome::committed; }));
  EXPECT_TRUE(eventually([&] { return commit(*other, "second").outcome == Writer::Outcome::committed; }));
  EXPECT_THAT(values(), testing::ElementsAre("alone", "first", "second"));

  const auto owners = first.membership->owners();
  ASSERT_TRUE(owners);
  ASSERT_THAT(*owners, SizeIs(kSlots));
  for (int slot = 0; slot < kSlots; ++slot)
    EXPECT_EQ((*owners)[static_cast<std::size_t>(slot)], first.owned().contains(SlotId{slot}) ? "first:1" : "second:1");
}

TEST_F(KafkaMembershipTest, CommitsGoOnWhileSlotsMove) {
  Member first(*log_, prefix_, "first");
  ASSERT_TRUE(eventually([&] { return first.owned().size() == kSlots; }));
  auto out = writer("first", first.membership.get());
  int committed = 0, failed = 0;
  std::unique_ptr<Member> second;
  const auto deadline = Clock::now() + 30s;
  while (Clock::now() < deadline && (!second || second->owned().size() < kSlots / 2)) {
    ++(commit(*out, std::to_string(committed)).outcome == Writer::Outcome::committed ? committed : failed);
    if (committed == 5 && !second) second = std::make_unique<Member>(*log_, prefix_, "second");
  }
  EXPECT_EQ(second->owned().size(), kSlots / 2);
  EXPECT_THAT(values(), SizeIs(committed));
  EXPECT_LE(failed, 2);
}

TEST_F(KafkaMembershipTest, ARestartTakesItsSlotsBackAtOnce) {
  auto first = std::make_unique<Member>(*log_, prefix_, "first");
  Member second(*log_, prefix_, "second");
  ASSERT_TRUE(eventually([&] { return first->owned().size() == kSlots / 2 && second.owned().size() == kSlots / 2; }));
  const auto before = first->owned();
  first->stop();
  first.reset();  // as one that dies
  const auto start = Clock::now();
  first = std::make_unique<Member>(*log_, prefix_, "first");
  ASSERT_TRUE(eventually([&] { return first->owned().size() == kSlots / 2; }));
  EXPECT_EQ(first->owned(), before);
  EXPECT_LT(Clock::now() - start, 2500ms);  // less than a session
}

TEST_F(KafkaMembershipTest, WhatOneLeavesTheOthersHaveAtOnce) {
  Member first(*log_, prefix_, "first");
  Member second(*log_, prefix_, "second");
  ASSERT_TRUE(eventually([&] { return first.owned().size() == kSlots / 2 && second.owned().size() == kSlots / 2; }));
  first.stop();
  const auto start = Clock::now();
  first.membership->leave();
  ASSERT_TRUE(eventually([&] { return second.owned().size() == kSlots; }));
  EXPECT_LT(Clock::now() - start, 1500ms);
}

TEST_F(KafkaMembershipTest, TheLastOneThatLeavesFindsItsSlotsAgain) {
  auto only = std::make_unique<Member>(*log_, prefix_, "only");
  ASSERT_TRUE(eventually([&] { return only->owned().size() == kSlots; }));
  only->stop();
  only->membership->leave();
  only.reset();
  const auto start = Clock::now();
  only = std::make_unique<Member>(*log_, prefix_, "only");
  ASSERT_TRUE(eventually([&] { return only->owned().size() == kSlots; }));
  EXPECT_LT(Clock::now() - start, 2500ms);
}

TEST_F(KafkaMembershipTest, AMemberThatWasFencedJoinsAgain) {
  Member member(*log_, prefix_, "one");
  ASSERT_TRUE(eventually([&] { return member.owned().size() == kSlots; }));
  {
    Member second(*log_, prefix_, "one");
    ASSERT_TRUE(eventually([&] { return member.lost() > 0; }));
  }
  ASSERT_TRUE(eventually([&] { return member.owned().size() == kSlots; }));
  auto out = writer("one", member.membership.get());
  EXPECT_TRUE(eventually([&] { return commit(*out, "again").outcome == Writer::Outcome::committed; }));
}

TEST_F(KafkaMembershipTest, WithoutSlotsNothingCommits) {
  const auto member = std::move(*log_->membership(prefix_ + "group", prefix_ + "slots", "nobody:1"));
  auto out = writer("nobody", member.get());
  const auto state = commit(*out, "unfenced");
  ASSERT_EQ(state.outcome, Writer::Outcome::failed);
  EXPECT_EQ(state.error->fault, Fault::fenced);
  EXPECT_THAT(values(), testing::IsEmpty());
}

TEST_F(KafkaMembershipTest, AStoppedProcessChangesNothingWhenItWakes) {
  MemberProcess zombie(prefix_);
  ASSERT_NE(zombie.wait_for("committed 3", 60s), "");
  zombie.signal(SIGSTOP);
  Member heir(*log_, prefix_, "heir");
  ASSERT_TRUE(eventually([&] { return heir.owned().size() == kSlots; }));
  auto out = writer("heir", heir.membership.get());
  ASSERT_EQ(commit(*out, "heir takes over").outcome, Writer::Outcome::committed);
  zombie.signal(SIGCONT);
  EXPECT_THAT(zombie.wait_for("failed", 30s), StartsWith("failed fenced"));
  EXPECT_TRUE(eventually([&] { return commit(*out, "heir goes on").outcome == Writer::Outcome::committed; }));
  const auto list = values();
  const auto handover = std::find(list.begin(), list.end(), "heir takes over");
  ASSERT_NE(handover, list.end());
  EXPECT_THAT(std::vector(list.begin(), handover), Each(StartsWith("child grant 1")));
  // It joins again and may get slots anew.
  EXPECT_THAT(std::vector(handover, list.end()), Each(Not(StartsWith("child grant 1"))));
}

}  // namespace
}  // namespace millrace
