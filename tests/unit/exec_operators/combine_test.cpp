#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace millrace::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

NodePtr clicks() {
  return stream({key("ID", Type::string()), value("V", Type::bigint()), value("T", Type::string())});
}
std::vector<AggregateCall> calls(const NodePtr& input) {
  return {call("COUNT", nullptr, "N"), call("SUM", column(input, "V"), "S"), call("AVG", column(input, "V"), "A"),
          call("MAX", column(input, "T"), "T")};
}
NodePtr combined(const NodePtr& input) {
  return make_node(CombineNode{.input = input, .calls = calls(input)});
}
NodePtr aggregated(const NodePtr& input, bool combine) {
  return make_node(AggregateNode{
      .input = combine ? combined(input) : input, .calls = calls(input), .window = {}, .combined = combine});
}
TestRow row(const std::string& id, std::int64_t v, std::int64_t ts) {
  return {{Value(id), Value(v), Value(fmt::format("t{}", v))}, ts};
}

TEST(Combine, GivesOneRowPerKeyAtTheCommit) {
  Pipe pipe(combined(clicks()), {.every_change = false});
  pipe.feed({row("a", 1, 5),
             row("b", 2, 6),
             row("a", 3, 4),
             {{text("a")}, 7, RowKind::insert, true},
             {{Value(), number(1), text("x")}, 8, RowKind::insert, false, true}});
  EXPECT_THAT(pipe.take(), IsEmpty());
  pipe.commit();
  const auto rows = pipe.take();
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_THAT(rows[0], testing::AllOf(testing::StartsWith("a | "), testing::EndsWith("@5")));
  EXPECT_THAT(rows[1], testing::AllOf(testing::StartsWith("b | "), testing::EndsWith("@6")));
  pipe.commit();
  EXPECT_THAT(pipe.take(), IsEmpty());
}

TEST(Combine, ForgetsWhatWasNotCommitted) {
  Pipe pipe(aggregated(clicks(), true), {.every_change = false});
  pipe.feed({row("a", 1, 5), row("a", 3, 9)});
  pipe.commit(false);
  pipe.feed({row("b", 2, 6)});
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("b | 1, 2, 2.0, t2 | @6 | after"));
  pipe.feed({row("b", 4, 7)});
  pipe.crash();
  pipe.feed({row("b", 6, 1)});
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("b | 2, 8, 4.0, t6 | @6 | after"));
}

TEST(Combine, GivesWhatTheAggregateAloneGives) {
  for (const std::size_t size : {1u, 7u, 4096u}) {
    Pipe with(aggregated(clicks(), true), {.every_change = false, .batch_rows = size});
    Pipe without(aggregated(clicks(), false), {.every_change = false, .batch_rows = size});
    std::mt19937_64 random(size);
    for (int round = 0; round < 60; ++round) {
      // Few keys, then nearly only new ones, so that rows go by, then few again.
      const std::uint64_t keys = round < 20 || round >= 40 ? 50 : 1'000'000;
      std::vector<TestRow> rows;
      for (std::uint64_t i = random() % 3000; i > 0; --i) {
        rows.push_back(row(fmt::format("k{}", random() % keys), static_cast<std::int64_t>(random() % 100) - 50,
                           static_cast<std::int64_t>(random() % 1000)));
        if (random() % 8 == 0) rows.back().values[1 + random() % 2] = Value();
      }
      const bool fails = random() % 5 == 0, crashes = random() % 7 == 0;
      for (Pipe* pipe : {&with, &without}) {
        pipe->feed(0, rows);
        pipe->commit(!fails);
        if (crashes) pipe->crash();
      }
      ASSERT_EQ(with.take(), without.take()) << "batches of " << size << ", round " << round;
    }
  }
}

TEST(Combine, LetsRowsByWhereMostKeysAreNew) {
  Pipe pipe(combined(clicks()), {.every_change = false});
  std::vector<TestRow> rows;
  for (int i = 0; i < 2000; ++i) rows.push_back(row(fmt::format("k{}", i), i, i));
  pipe.feed(0, rows);
  pipe.commit();
  EXPECT_THAT(pipe.take(), SizeIs(2000));
  const auto again = row("k1", 1, 1);
  pipe.feed({again, again});
  EXPECT_THAT(pipe.take(), SizeIs(2));  // at once, both of them
  for (int i = 0; i < 16; ++i) pipe.feed(0, rows);
  pipe.commit();
  pipe.take();
  pipe.feed({again, again});
  EXPECT_THAT(pipe.take(), IsEmpty());
  pipe.commit();
  EXPECT_THAT(pipe.take(), SizeIs(1));
}

TEST(Combine, GivesGroupsEarlyThatNeedTooMuchMemory) {
  Pipe pipe(combined(clicks()), {.every_change = false});
  const std::string wide(10'000, 'k');
  std::vector<TestRow> rows;
  for (int i = 0; i < 2000; ++i) rows.push_back(row(wide + std::to_string(i), i, i));
  pipe.feed(0, rows);
  EXPECT_THAT(pipe.take(), SizeIs(2000));
}

}  // namespace
}  // namespace millrace::test
