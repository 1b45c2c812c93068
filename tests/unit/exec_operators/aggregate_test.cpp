#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace millrace::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodePtr clicks() {
  return stream({key("ID", Type::string()), value("V", Type::bigint())});
}

NodePtr counted(const NodePtr& input, std::optional<WindowSpec> window, EmitPolicy emit = EmitPolicy::changes) {
  return make_node(AggregateNode{.input = input,
                                 .calls = {call("COUNT", nullptr, "N"), call("SUM", column(input, "V"), "S"),
                                           call("MAX", column(input, "V"), "M")},
                                 .window = window,
                                 .emit = emit});
}

TestRow row(const char* id, std::int64_t v, std::int64_t ts) {
  return {{text(id), number(v)}, ts};
}

TEST(Aggregate, EveryChangeIsWhatRowByRowGives) {
  for (const std::size_t size : {1u, 3u, 4096u}) {
    Pipe pipe(counted(clicks(), {}), {.batch_rows = size});
    pipe.feed({row("a", 1, 5), row("b", 2, 6), row("a", 3, 4), row("a", 2, 9), row("b", -1, 7)});
    EXPECT_THAT(pipe.take(),
                ElementsAre("a | 1, 1, 1 | @5 | after", "b | 1, 2, 2 | @6 | after", "a | 2, 4, 3 | @5 | after",
                            "a | 3, 6, 3 | @9 | after", "b | 2, 1, 2 | @7 | after"));
    pipe.commit();
    EXPECT_THAT(pipe.take(), IsEmpty());
  }
}

TEST(Aggregate, OneChangePerKeyAndCommit) {
  Pipe pipe(counted(clicks(), {}), {.every_change = false});
  pipe.feed({row("a", 1, 5), row("b", 2, 6), row("a", 3, 4)});
  EXPECT_THAT(pipe.take(), IsEmpty());
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("a | 2, 4, 3 | @5 | after", "b | 1, 2, 2 | @6 | after"));
  pipe.feed({row("b", 2, 8)});
  pipe.commit(false);
  pipe.feed({row("b", 5, 8)});
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("b | 2, 7, 5 | @8 | after"));
}

TEST(Aggregate, NullKeysAndValuesAreLeftOut) {
  Pipe pipe(counted(clicks(), {}), {});
  pipe.feed({row("a", 1, 5),
             {{text("a")}, 6, RowKind::insert, true},
             {{Value(), number(1)}, 7, RowKind::insert, false, true}});
  EXPECT_THAT(pipe.take(), ElementsAre("a | 1, 1, 1 | @5 | after"));
}

TEST(Aggregate, TumblingWindowsDropLateRows) {
  for (const std::size_t size : {1u, 4096u}) {
    Pipe pipe(counted(clicks(), tumbling(10, 0)), {.batch_rows = size});
    pipe.feed({row("a", 1, 1), row("a", 1, 9), row("b", 1, 13), row("c", 1, 2), row("a", 4, 19)});
    EXPECT_THAT(pipe.take(), ElementsAre("a | 1, 1, 1 | @1 | 0..10 | after", "a | 2, 2, 1 | @9 | 0..10 | after",
                                         "b | 1, 1, 1 | @13 | 10..20 | after", "a | 1, 4, 4 | @19 | 10..20 | after"));
    EXPECT_EQ(pipe.late(), 1u);
  }
}

TEST(Aggregate, HoppingWindowsOldestFirst) {
  Pipe pipe(counted(clicks(), hopping(10, 5, 100)), {});
  pipe.feed({row("a", 1, 7), row("a", 1, 3)});
  EXPECT_THAT(pipe.take(), ElementsAre("a | 1, 1, 1 | @7 | 0..10 | after", "a | 1, 1, 1 | @7 | 5..15 | after",
                                       "a | 2, 2, 1 | @7 | 0..10 | after"));
}

TEST(Aggregate, ManyWindowsPerRowAreTakenInByParts) {
  Pipe pipe(counted(clicks(), hopping(100'000, 1, 100'000)), {.every_change = false});
  pipe.feed({row("a", 1, 200'000), row("a", 1, 200'001), row("a", 1, 200'002)});
  pipe.commit();
  const std::vector<std::string> rows = pipe.take();
  EXPECT_EQ(rows.size(), 100'002u);
  const auto with_all = [](const std::string& line) { return line.starts_with("a | 3, 3, 1 | "); };
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), with_all), 99'998);
}

TEST(Aggregate, FinalResultsComeOnceAndFarJumpsLoseNone) {
  for (const std::size_t size : {1u, 4096u}) {
    Pipe pipe(counted(clicks(), tumbling(2, 1), EmitPolicy::final), {.batch_rows = size});
    pipe.feed({row("b", 1, 0), row("a", 1, 1), row("a", 2, 2), row("b", 3, 5)});
    EXPECT_THAT(pipe.take(), ElementsAre("a | 1, 1, 1 | @1 | 0..2 | after", "b | 1, 1, 1 | @0 | 0..2 | after",
                                         "a | 1, 2, 2 | @2 | 2..4 | after"));
    pipe.feed({row("b", 3, 6), row("a", 1, 7)});
    EXPECT_THAT(pipe.take(), ElementsAre("b | 1, 3, 3 | @5 | 4..6 | after"));
    pipe.commit();
    pipe.crash();
    pipe.feed({row("a", 1, 9)});
    EXPECT_THAT(pipe.take(), ElementsAre("a | 1, 1, 1 | @7 | 6..8 | after", "b | 1, 3, 3 | @6 | 6..8 | after"));
  }
}

TEST(Aggregate, SessionsMergeAndWithdraw) {
  for (const std::size_t size : {1u, 4096u}) {
    Pipe pipe(counted(clicks(), session(10, 100)), {.batch_rows = size});
    pipe.feed({row("a", 1, 0), row("a", 2, 30), row("a", 3, 10), row("b", 1, 10), row("a", 4, 20), row("a", 5, 15)});
    EXPECT_THAT(pipe.take(),
                ElementsAre("a | 1, 1, 1 | @0 | 0..0 | after", "a | 1, 2, 2 | @30 | 30..30 | after",
                            "a | null, null, null | @0 | 0..0 | remove", "a | 2, 4, 3 | @10 | 0..10 | after",
                            "b | 1, 1, 1 | @10 | 10..10 | after", "a | null, null, null | @10 | 0..10 | remove",
                            "a | null, null, null | @30 | 30..30 | remove", "a | 4, 10, 4 | @30 | 0..30 | after",
                            "a | null, null, null | @30 | 0..30 | remove", "a | 5, 15, 5 | @30 | 0..30 | after"));
  }
  Pipe pipe(counted(clicks(), session(10, 100)), {.every_change = false});
  pipe.feed({row("a", 1, 0), row("a", 2, 30)});
  pipe.commit();
  pipe.take();
  pipe.feed({row("a", 3, 10), row("a", 4, 20), row("b", 1, 10)});
  pipe.commit();
  EXPECT_THAT(pipe.take(),
              ElementsAre("a | null, null, null | @0 | 0..0 | remove", "a | null, null, null | @30 | 30..30 | remove",
                          "a | 4, 10, 4 | @30 | 0..30 | after", "b | 1, 1, 1 | @10 | 10..10 | after"));
}

TEST(Aggregate, OverATableUndoesAndRedoes) {
  const NodePtr people = table({key("ID", Type::string()), value("TEAM", Type::string()), value("V", Type::bigint())});
  for (const std::size_t size : {1u, 4096u}) {
    const NodePtr keyed =
        make_node(RekeyNode{people, {{key("TEAM", Type::string()), column(people, "TEAM")}}, NullKey::drop});
    const NodePtr counts = make_node(AggregateNode{
        .input = keyed, .calls = {call("COUNT", nullptr, "N"), call("SUM", column(keyed, "V"), "S")}, .window = {}});
    Pipe pipe(counts, {.batch_rows = size});
    const auto person = [](const char* id, const char* team, std::int64_t v, std::int64_t ts) {
      return TestRow{{text(id), text(team), number(v)}, ts, RowKind::update_after};
    };
    pipe.feed({person("p", "x", 1, 1),
               person("q", "x", 2, 2),
               person("p", "x", 5, 3),
               person("p", "y", 7, 4),
               {{text("q")}, 5, RowKind::remove},
               {{text("nobody")}, 6, RowKind::remove}});
    EXPECT_THAT(pipe.take(), ElementsAre("x | 1, 1 | @1 | after", "x | 2, 3 | @2 | after", "x | 2, 7 | @3 | after",
                                         "x | 1, 2 | @4 | after", "y | 1, 7 | @4 | after", "x | 0, 0 | @5 | after"));
  }
}

TEST(Aggregate, HavingWithdrawsGroupsThatHadPassed) {
  for (const std::size_t size : {1u, 4096u}) {
    const NodePtr people = table({key("ID", Type::string()), value("V", Type::bigint())});
    const NodePtr keyed =
        make_node(RekeyNode{people, {{key("V", Type::bigint()), column(people, "V")}}, NullKey::drop});
    const NodePtr counts =
        make_node(AggregateNode{.input = keyed, .calls = {call("COUNT", nullptr, "N")}, .window = {}});
    Pipe pipe(make_node(FilterNode{counts, greater(column(counts, "N"), 1)}), {.batch_rows = size});
    const auto person = [](const char* id, std::int64_t v, std::int64_t ts) {
      return TestRow{{text(id), number(v)}, ts, RowKind::update_after};
    };
    pipe.feed({person("p", 1, 1), person("q", 1, 2), person("p", 1, 3), person("p", 2, 4), person("q", 2, 5)});
    EXPECT_THAT(pipe.take(), ElementsAre("1 | 2 | @2 | after", "1 | 2 | @3 | after", "1 | null | @4 | remove",
                                         "2 | 2 | @5 | after"));
  }
}

/// Random rows: any batch size and any pattern of commits, failures, spills and crashes ends with what a plain run
/// gives.
class AggregateRuns : public testing::TestWithParam<int> {};

std::vector<TestRow> random_rows(std::mt19937& random, std::size_t count) {
  std::vector<TestRow> rows;
  std::int64_t time = 0;
  for (std::size_t i = 0; i < count; ++i) {
    time += random() % 4;
    const std::string id(1, static_cast<char>('a' + random() % 6));
    rows.push_back(row(id.c_str(), static_cast<std::int64_t>(random() % 100),
                       std::max<std::int64_t>(0, time - static_cast<std::int64_t>(random() % 25))));
  }
  return rows;
}

std::optional<WindowSpec> window_of(int kind) {
  switch (kind % 4) {
    case 0:
      return std::nullopt;
    case 1:
      return tumbling(10, 15);
    case 2:
      return hopping(12, 4, 10);
    default:
      return session(3, 8);
  }
}

TEST_P(AggregateRuns, BatchSizesAndFaultsDoNotMatter) {
  const EmitPolicy emit = GetParam() >= 4 ? EmitPolicy::final : EmitPolicy::changes;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    std::mt19937 random(seed);
    const std::vector<TestRow> rows = random_rows(random, 400);
    const NodePtr node = counted(clicks(), window_of(GetParam()), emit);
    Pipe plain(node, {.batch_rows = 1}), many(node, {});
    plain.feed(0, rows);
    many.feed(0, rows);
    const auto expected = plain.take();
    ASSERT_EQ(expected, many.take());

    auto db = StateDb::open({.directory = testing::TempDir() + "/millrace_operators_" + std::to_string(getpid()) + "_" +
                                          std::to_string(seed * 10 + GetParam())});
    ASSERT_TRUE(db);
    Pipe faulty(node, {.batch_rows = 7, .db = db->get()});
    std::size_t committed = 0;
    std::vector<std::string> got;
    while (committed < rows.size()) {
      const std::size_t count = std::min<std::size_t>(random() % 40 + 1, rows.size() - committed);
      faulty.feed(0, std::span(rows).subspan(committed, count));
      switch (random() % 5) {
        case 0:
          faulty.commit(false);
          break;
        case 1:
          faulty.crash();
          break;
        default: {
          faulty.commit();
          committed += count;
          const auto part = faulty.take();
          got.insert(got.end(), part.begin(), part.end());
          if (random() % 3 == 0) faulty.spill(random() % 2 == 0 ? 0 : 1 << 20);
        }
      }
      if (HasFatalFailure()) return;
    }
    ASSERT_EQ(expected, got) << "seed " << seed;
  }
}
INSTANTIATE_TEST_SUITE_P(, AggregateRuns, testing::Values(0, 1, 2, 3, 5, 6, 7));

}  // namespace
}  // namespace millrace::test
