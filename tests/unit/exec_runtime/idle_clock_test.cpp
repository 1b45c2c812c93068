#include "exec/runtime/idle_clock.h"

#include <gtest/gtest.h>

#include "exec/operators/least_time.h"
#include "exec/runtime/progress.h"

namespace millrace::inline exec {
namespace {

TEST(IdleClock, MovesByWhatHasGoneByAndStopsWhenNothingCanBeOpen) {
  IdleClock clock(30, 100, 1000);
  clock.rows(7, 1000);
  EXPECT_FALSE(clock.due(1029));
  ASSERT_TRUE(clock.due(1035));
  EXPECT_EQ(clock.step(1035), 42);
  EXPECT_FALSE(clock.due(1064));
  ASSERT_TRUE(clock.due(1165));
  EXPECT_EQ(clock.step(1165), 172);
  EXPECT_FALSE(clock.due(9999)) << "nothing waits for more than 100 ms";
  clock.rows(170, 10000);
  EXPECT_EQ(clock.stream_time(), 172) << "never back";
  EXPECT_TRUE(clock.due(10030));
}

TEST(IdleClock, WaitsWhileSomethingIsOnItsWayAndGoesOnWhereItWasPutBackTo) {
  IdleClock clock(30, 100, 0);
  clock.rows(7, 0);
  clock.busy(20);
  EXPECT_FALSE(clock.due(40));
  clock.restore(50, 100);
  EXPECT_FALSE(clock.due(120));
  ASSERT_TRUE(clock.due(130));
  EXPECT_EQ(clock.step(130), 80);
}

TEST(IdleClock, SaysOnceThatNoRowHasCome) {
  IdleClock clock(30, 100, 0);
  EXPECT_FALSE(clock.stream_time().has_value());
  ASSERT_TRUE(clock.due(30));
  EXPECT_FALSE(clock.step(30).has_value());
  EXPECT_FALSE(clock.due(100));
}

TEST(LeastTime, ComesAsFarAsTheLast) {
  LeastTime times(2);
  EXPECT_EQ(times.told(0, 10), std::nullopt);
  EXPECT_EQ(times.told(1, 4), 4);
  EXPECT_EQ(times.told(1, 3), std::nullopt) << "never back";
  EXPECT_EQ(times.told(1, 12), 10);
}

TEST(LeastTime, DoesNotWaitForThoseWhoHaveNothing) {
  LeastTime times(2);
  EXPECT_EQ(times.told(0, LeastTime::kNothing), std::nullopt);
  EXPECT_EQ(times.told(1, 5), 5);
  EXPECT_EQ(times.told(0, 2), std::nullopt) << "who begins behind the others moves nothing";
  EXPECT_EQ(times.told(1, 9), std::nullopt);
  EXPECT_EQ(times.told(0, 7), 7);
  std::string bytes;
  times.save(bytes);
  LeastTime other(2);
  std::string_view view = bytes;
  other.load(view);
  EXPECT_EQ(other.told(0, 8), 8);
}

TEST(Progress, KeepsTimes) {
  Progress progress;
  progress.sequence = 3;
  progress.stream_time = 1234;
  progress.times = {{"topic", {{0, 10}, {2, LeastTime::kNothing}}}, {"other", {}}};
  progress.ready = {{"table", 17}};
  const auto read = decode_progress(encode(progress));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->stream_time, progress.stream_time);
  EXPECT_EQ(read->times, progress.times);
  EXPECT_EQ(read->times_of("topic").size(), 2);
  EXPECT_TRUE(read->times_of("none").empty());
  EXPECT_EQ(read->ready_of("table"), 17);
  EXPECT_FALSE(read->ready_of("topic").has_value());
}

}  // namespace
}  // namespace millrace::inline exec
