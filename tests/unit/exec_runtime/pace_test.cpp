#include "exec/runtime/pace.h"

#include <gtest/gtest.h>

#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

using namespace std::chrono_literals;
using Time = Clock::time_point;

NodePtr windowed(NodePtr input, WindowSpec window) {
  AggregateNode node;
  node.input = std::move(input);
  node.window = window;
  return make_node(std::move(node));
}

NodePtr internal_source(const std::string& topic) {
  const NodePtr other = source(topic, RelationKind::stream);
  SourceNode node = *other->as<SourceNode>();
  node.internal = true;
  return make_source(std::move(node), other->kind, other->window);
}

/// Two partitions into an internal topic, whose rows are grouped by windows.
struct Moved {
  explicit Moved(WindowSpec window) {
    plan.topics = {{.name = "moved"}};
    plan.subtopologies.push_back({.id = 0, .root = sink(source("in", RelationKind::stream), "moved"), .stores = {}});
    plan.subtopologies.push_back(
        {.id = 1, .root = sink(windowed(internal_source("moved"), window), "out"), .stores = {}});
    layout.subtopologies = {{.tasks = 2, .inputs = {{"in", 2, false, false}}, .broadcasts = {}},
                            {.tasks = 2, .inputs = {{"moved", 2, true, false}}, .broadcasts = {}}};
    pace = Pace::of(plan, layout);
  }
  PhysicalPlan plan;
  QueryLayout layout;
  std::unique_ptr<Pace> pace;
};

TEST(Pace, NobodyGoesFurtherThanTheWindowOfTheLast) {
  Moved moved({WindowType::tumbling, 100, 100, 40, 1000});
  ASSERT_NE(moved.pace, nullptr);
  EXPECT_EQ(moved.pace->inputs(0), Pace::Inputs::all);
  EXPECT_EQ(moved.pace->inputs(1), Pace::Inputs::none);
  int here = 0;
  const std::size_t a = moved.pace->join(0, 0, &here, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kNothing);  // alone in this process
  const std::size_t b = moved.pace->join(0, 1, &here, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kUnknown);
  // Of a grace of 40 three quarters are for rows of b that are late.
  const auto limit_beside = [&](std::int64_t time) {
    moved.pace->is_at(b, time, {});
    return moved.pace->limit(a, Time{}, Time{});
  };
  EXPECT_EQ(limit_beside(250), 339);
  EXPECT_EQ(limit_beside(299), 339);
  EXPECT_EQ(limit_beside(329), 339);
  EXPECT_EQ(limit_beside(330), 439);
  moved.pace->is_at(b, Pace::kNothing, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kNothing);
  EXPECT_EQ(limit_beside(0), 139);
  moved.pace->leave(b, false);
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kNothing);
  moved.pace->leave(moved.pace->join(0, 1, &here, {}), true);
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kUnknown);
}

TEST(Pace, ThoseToComeAreWaitedFor) {
  Moved moved({WindowType::tumbling, 100, 100, 0, 1000});
  moved.pace->expect(0, 0, true);
  moved.pace->expect(0, 1, true);
  moved.pace->expect(1, 0, true);
  int here = 0;
  const std::size_t a = moved.pace->join(0, 0, &here, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kUnknown);
  moved.pace->expect(0, 1, false);
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kNothing);
}

TEST(Pace, BetweenWorkersWhatIsCommittedCounts) {
  Moved moved({WindowType::hopping, 100, 30, 0, 1000});
  int here = 0, there = 0, woken = 0;
  const std::size_t a = moved.pace->join(0, 0, &here, [&] { ++woken; });
  const std::size_t b = moved.pace->join(0, 1, &there, {});
  moved.pace->is_at(b, 500, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), Pace::kUnknown);
  moved.pace->waits(a);
  moved.pace->has_committed(b, 100, {});
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), 129);
  moved.pace->has_committed(b, 50, {});
  EXPECT_EQ(moved.pace->limit(a, Time{}, Time{}), 99);
  EXPECT_EQ(woken, 1);
}

TEST(Pace, WhoeverHadNothingIsAskedAgain) {
  Moved moved({WindowType::tumbling, 100, 100, 0, 1000});
  Pace& pace = *moved.pace;
  int here = 0, there = 0, woken = 0, asked = 0;
  const std::size_t a = pace.join(0, 0, &here, [&] { ++woken; });
  const std::size_t b = pace.join(0, 1, &there, [&] { ++asked; });
  const Time before{1s}, read{2s}, last_read{3s};
  pace.is_at(b, Pace::kNothing, before);
  pace.has_committed(b, Pace::kNothing, before);
  EXPECT_EQ(pace.limit(a, before, before), Pace::kNothing);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(pace.limit(a, read, last_read), Pace::kUnknown);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(pace.asked(b), last_read);
  EXPECT_EQ(pace.limit(a, read, last_read), Pace::kUnknown);
  EXPECT_EQ(asked, 1);
  pace.waits(a);
  pace.is_at(b, Pace::kNothing, read);
  EXPECT_EQ(pace.limit(a, read, last_read), Pace::kUnknown) << "what is committed counts";
  pace.has_committed(b, Pace::kNothing, read);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(pace.limit(a, read, last_read), Pace::kNothing);
  EXPECT_EQ(pace.limit(a, last_read, last_read), Pace::kUnknown);
  pace.is_at(b, 250, {});
  pace.has_committed(b, 250, {});
  EXPECT_EQ(pace.limit(a, last_read, last_read), 299);
}

TEST(Pace, ThoseInOtherProcessesAreLookedFor) {
  Moved moved({WindowType::tumbling, 100, 100, 0, 1000});
  Pace& pace = *moved.pace;
  int here = 0, looks = 0, woken = 0;
  pace.look_elsewhere_by([&] { ++looks; });
  pace.expect(0, 0, true);
  pace.expect(0, 1, false);
  EXPECT_TRUE(pace.shared());
  const std::size_t a = pace.join(0, 0, &here, [&] { ++woken; });
  EXPECT_EQ(pace.limit(a, Time{}, Time{}), Pace::kUnknown);
  pace.waits(a);
  EXPECT_GE(looks, 2);
  ASSERT_EQ(pace.elsewhere().size(), 1U);
  const Pace::Elsewhere other = pace.elsewhere().front();
  EXPECT_EQ(other.partition, 1);
  pace.is_elsewhere(other.member, 250, std::nullopt);
  pace.looked();
  EXPECT_EQ(woken, 1);
  looks = 0;
  EXPECT_EQ(pace.limit(a, Time{}, Time{}), 299);
  EXPECT_EQ(looks, 0);  // it was looked for just now
  pace.expect(0, 1, false);
  EXPECT_EQ(pace.limit(a, Time{}, Time{}), 299);
  const Time asked{5s}, later{6s};
  pace.is_elsewhere(other.member, 250, asked);
  EXPECT_EQ(pace.limit(a, asked, asked), Pace::kNothing);
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(pace.limit(a, asked, later), Pace::kNothing);
  EXPECT_EQ(looks, 1) << "ahead";
  EXPECT_EQ(pace.limit(a, later, later), 299);
  pace.expect(0, 1, true);  // it comes here
  EXPECT_FALSE(pace.shared());
  const std::size_t b = pace.join(0, 1, &here, {});
  pace.is_elsewhere(other.member, 50, asked);
  EXPECT_EQ(pace.limit(a, Time{}, Time{}), Pace::kUnknown);
  pace.leave(b, false);  // and goes to another again
  EXPECT_TRUE(pace.shared());
  EXPECT_EQ(pace.limit(a, Time{}, Time{}), Pace::kUnknown);
}

TEST(Pace, IsNoConcernWhereNobodyMindsTheTime) {
  PhysicalPlan plan;
  plan.subtopologies.push_back(
      {.id = 0,
       .root = sink(windowed(source("in", RelationKind::stream), {WindowType::tumbling, 10, 10, 0, 10}), "out"),
       .stores = {}});
  QueryLayout layout;
  layout.subtopologies = {{.tasks = 2, .inputs = {{"in", 2, false, false}}, .broadcasts = {}}};
  EXPECT_EQ(Pace::of(plan, layout), nullptr);  // each partition has windows of its own
}

}  // namespace
}  // namespace millrace::runtime_test
