#include "exec/runtime/feeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exec/log/local/memory.h"

namespace millrace::runtime_test {
namespace {

using namespace std::chrono_literals;

/// One partition of one topic, with a record at each offset.
class FeedsTest : public testing::Test {
 protected:
  FeedsTest() {
    EXPECT_TRUE(log_->create_topic("in", {}));
    append(20'000);
  }
  void append(int count) {
    auto writer = std::move(*log_->writer("w", nullptr));
    const auto topic = *writer->topic("in");
    for (int i = 0; i < count; ++i) EXPECT_TRUE(writer->append(topic, 0, "k", "v", RecordTime{0}));
    EXPECT_TRUE(writer->commit());
    EXPECT_EQ(writer->commit_state(10s).outcome, Writer::Outcome::committed);
    end_ += count;
  }
  std::unique_ptr<Feeds> feeds() {
    return std::make_unique<Feeds>(std::move(*log_->reader("front")), [this](int) {
      ++made_;
      return log_->reader("behind");
    });
  }
  std::unique_ptr<TaskInput> input(std::int64_t offset) {
    auto made = std::make_unique<TaskInput>(TopicPartition{"in", 0}, false, std::vector<TaskInput::Leaf>{}, 0);
    made->seek(offset);
    return made;
  }
  /// Takes what one poll brings; how many records.
  std::size_t take(Feeds& feeds, Result<std::optional<Fetch>> fetch) {
    if (!fetch || !*fetch) return 0;
    const std::size_t count = (*fetch)->records.size();
    std::vector<TaskInput*> takers;
    feeds.deliver(std::move(**fetch), takers);
    feeds.balance();
    return count;
  }
  void drain(Feeds& feeds, TaskInput& input, std::int64_t until) {
    for (int i = 0; i < 1000 && input.accepted() < until; ++i) {
      take(feeds, feeds.poll_front(4096, 0ms));
      take(feeds, feeds.poll_behind(4096, 0ms));
      input.seek(input.accepted());  // it has worked on it
      feeds.balance();
    }
    EXPECT_EQ(input.accepted(), until);
  }

  std::unique_ptr<Log> log_ = make_memory_log();
  std::int64_t end_ = 0;
  int made_ = 0;
};

TEST_F(FeedsTest, WhoeverStartsBehindDoesNotTakeThoseInFrontBack) {
  const auto feeds = this->feeds();
  const auto front = input(19'000), late = input(0);
  ASSERT_TRUE(feeds->add(*front));
  drain(*feeds, *front, 20'000);
  ASSERT_TRUE(feeds->add(*late));
  EXPECT_TRUE(feeds->catching_up(*late));
  EXPECT_FALSE(feeds->catching_up(*front));
  EXPECT_EQ(take(*feeds, feeds->poll_front(4096, 0ms)), 0U);
  append(1);
  EXPECT_EQ(take(*feeds, feeds->poll_front(4096, 0ms)), 1U);
  EXPECT_EQ(front->accepted(), 20'001);
  drain(*feeds, *late, 20'001);
  EXPECT_FALSE(feeds->catching_up(*late));
  EXPECT_FALSE(feeds->any_behind());
  append(1);
  EXPECT_EQ(take(*feeds, feeds->poll_front(4096, 0ms)), 1U);
  EXPECT_EQ(front->accepted(), 20'002);
  EXPECT_EQ(late->accepted(), 20'002);
  feeds->remove(*front);
  feeds->remove(*late);
  EXPECT_TRUE(feeds->empty());
}

TEST_F(FeedsTest, ThoseThatStartTogetherReadTogether) {
  const auto feeds = this->feeds();
  const auto one = input(10), other = input(0);
  ASSERT_TRUE(feeds->add(*one));
  ASSERT_TRUE(feeds->add(*other));
  EXPECT_FALSE(feeds->any_behind());
  EXPECT_EQ(made_, 0);
  drain(*feeds, *other, 20'000);
  EXPECT_EQ(one->accepted(), 20'000 - 0);
  feeds->remove(*one);
  feeds->remove(*other);
}

TEST_F(FeedsTest, OneFarAheadOfTheOthersTakesTheFront) {
  const auto feeds = this->feeds();
  const auto late = input(0), front = input(20'000);
  ASSERT_TRUE(feeds->add(*late));
  ASSERT_TRUE(feeds->add(*front));
  EXPECT_TRUE(feeds->catching_up(*late));
  EXPECT_FALSE(feeds->catching_up(*front));
  drain(*feeds, *late, 20'000);
  EXPECT_FALSE(feeds->any_behind());
  feeds->remove(*late);
  feeds->remove(*front);
}

TEST_F(FeedsTest, AnyNumberOfPlacesBehindIsRead) {
  const auto feeds = this->feeds();
  std::vector<std::unique_ptr<TaskInput>> inputs;
  inputs.push_back(input(20'000));
  ASSERT_TRUE(feeds->add(*inputs.back()));
  drain(*feeds, *inputs.back(), 20'000);
  for (const int offset : {16'000, 1, 9'000, 5'000, 12'500, 3}) {
    inputs.push_back(input(offset));
    ASSERT_TRUE(feeds->add(*inputs.back()));
    take(*feeds, feeds->poll_behind(100, 0ms));
  }
  EXPECT_LE(made_, 3);
  for (const auto& one : inputs) {
    for (const auto& other : inputs) other->seek(other->accepted());
    drain(*feeds, *one, 20'000);
  }
  for (const auto& one : inputs) feeds->remove(*one);
  EXPECT_FALSE(feeds->any_behind());
}

TEST_F(FeedsTest, APausedOneComesBackApart) {
  const auto feeds = this->feeds();
  const auto front = input(0), paused = input(0);
  ASSERT_TRUE(feeds->add(*front));
  ASSERT_TRUE(feeds->add(*paused));
  feeds->exclude(*paused, true);
  drain(*feeds, *front, 20'000);
  EXPECT_EQ(paused->accepted(), 0);
  feeds->exclude(*paused, false);
  feeds->balance();
  EXPECT_TRUE(feeds->catching_up(*paused));
  drain(*feeds, *paused, 20'000);
  EXPECT_FALSE(feeds->any_behind());
  EXPECT_EQ(front->accepted(), 20'000);
  feeds->remove(*front);
  feeds->remove(*paused);
}

TEST_F(FeedsTest, ARollBackTakesEveryFeedToItsFirst) {
  const auto feeds = this->feeds();
  const auto one = input(0), other = input(10);  // whose queue has room to the end
  ASSERT_TRUE(feeds->add(*one));
  ASSERT_TRUE(feeds->add(*other));
  drain(*feeds, *one, 20'000);
  one->seek(100);
  other->seek(300);
  feeds->rewind();
  EXPECT_FALSE(feeds->any_behind());
  drain(*feeds, *one, 20'000);
  feeds->remove(*one);
  feeds->remove(*other);
}

TEST_F(FeedsTest, APartitionThatIsGoneBreaksItsReadersOnly) {
  ASSERT_TRUE(log_->create_topic("other", {}));
  const auto feeds = this->feeds();
  const auto gone = input(0);
  TaskInput stays({"other", 0}, false, {}, 0);
  ASSERT_TRUE(feeds->add(*gone));
  ASSERT_TRUE(feeds->add(stays));
  ASSERT_TRUE(log_->delete_topic("in"));
  for (int i = 0; i < 10 && !feeds->any_broken(); ++i) {
    take(*feeds, feeds->poll_front(4096, 0ms));
    gone->seek(gone->accepted());
  }
  const auto broken = feeds->take_broken();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken.front().input, gone.get());
  EXPECT_THAT(broken.front().error.message, testing::HasSubstr("'in' was deleted"));
  EXPECT_FALSE(feeds->behind(*gone));
  feeds->remove(*gone);
  EXPECT_EQ(feeds->behind(stays), 0);
  feeds->remove(stays);
}

}  // namespace
}  // namespace millrace::runtime_test
