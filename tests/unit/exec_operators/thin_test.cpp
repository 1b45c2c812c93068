#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace millrace::test {
namespace {

using testing::ElementsAre;

NodePtr bids() {
  return stream({key("ID", Type::string()), value("V", Type::bigint()), value("W", Type::bigint())});
}
std::vector<SortKey> order(const NodePtr& input) {
  return {{.expr = column(input, "V"), .descending = true, .nulls_first = true}};
}
NodePtr top(const NodePtr& input, std::int64_t most) {
  return make_node(
      TopRowsNode{.input = input, .order = order(input), .most = most, .number = most == 1 ? "" : "RN", .row_key = {}});
}
NodePtr first(const NodePtr& input, std::int64_t most) {
  return make_node(ThinNode{.input = input, .order = order(input), .most = most, .last = {}});
}
NodePtr latest(const NodePtr& input) {
  return make_node(AggregateNode{
      .input = input,
      .calls = {call("LATEST_BY_OFFSET", column(input, "V"), "V"), call("LATEST_BY_OFFSET", column(input, "W"), "W")},
      .window = {}});
}
NodePtr last(const NodePtr& input) {
  return make_node(ThinNode{.input = input, .order = {}, .most = 0, .last = {column(input, "V"), column(input, "W")}});
}

TestRow row(const char* id, std::int64_t v, std::int64_t ts) {
  return {{text(id), number(v), number(0)}, ts};
}

TEST(Thin, KeepsTheFirstRowsOfAKeyAndOfEqualOnesThoseThatCameFirst) {
  Pipe pipe(first(bids(), 2), {.every_change = false});
  pipe.feed({row("a", 1, 1), row("b", 1, 2), row("a", 7, 3), row("a", 7, 4), row("a", 7, 5), row("a", 3, 6)});
  EXPECT_THAT(pipe.take(), ElementsAre(testing::HasSubstr("@2"), testing::HasSubstr("@3"), testing::HasSubstr("@4")));
}

TEST(Thin, KeepsTheLastRowAndWhatItDoesNotReplace) {
  Pipe pipe(last(bids()), {.every_change = false});
  pipe.feed({row("a", 1, 9),                          // newer than all behind it
             row("a", 2, 5),                          // replaced
             {{text("a"), number(3), number(8)}, 6},  // the last that has all values
             {{text("a"), Value(), number(9)}, 5}});  // has not
  EXPECT_THAT(pipe.take(), ElementsAre(testing::HasSubstr("@9"), testing::HasSubstr("@6"), testing::HasSubstr("@5")));
}

TEST(Thin, LeavesRowsWithoutAKeyOrAValueAlone) {
  Pipe pipe(first(bids(), 1), {.every_change = false});
  const TestRow no_key{{Value(), number(1), number(8)}, 1, RowKind::insert, false, true};
  const TestRow no_value{{text("a")}, 2, RowKind::insert, true};
  pipe.feed({no_key, no_key, no_value, no_value});
  EXPECT_EQ(pipe.take().size(), 4u);
}

/// What stands behind gives the same at every commit, whether rows are left out or not.
void expect_same(const NodePtr& all, const NodePtr& thin, unsigned seed) {
  std::mt19937 random(seed);
  const std::size_t batch_rows = std::vector<std::size_t>{1, 3, 64, kMaxBatchRows}[random() % 4];
  Pipe plain(all, {.every_change = false, .batch_rows = batch_rows});
  Pipe thinned(thin, {.every_change = false, .batch_rows = batch_rows});
  for (int commit = 0; commit < 8; ++commit) {
    std::vector<TestRow> rows;
    for (std::size_t i = random() % 800; i-- > 0;) {
      TestRow made{{Value(std::string(1, static_cast<char>('a' + random() % 9))),
                    random() % 5 == 0 ? Value() : number(static_cast<std::int64_t>(random() % 7)),
                    random() % 7 == 0 ? Value() : number(static_cast<std::int64_t>(random() % 3))},
                   static_cast<std::int64_t>(random() % 1000)};
      if (random() % 50 == 0) made = {{made.values[0]}, made.timestamp, RowKind::insert, true};
      rows.push_back(std::move(made));
    }
    plain.feed(0, rows);
    thinned.feed(0, rows);
    const bool succeeds = random() % 4 != 0;
    plain.commit(succeeds);
    thinned.commit(succeeds);
    auto expected = plain.take(), actual = thinned.take();
    std::sort(expected.begin(), expected.end());
    std::sort(actual.begin(), actual.end());
    EXPECT_EQ(expected, actual) << "seed " << seed << ", commit " << commit;
  }
}

TEST(Thin, DoesNotShowBehindIt) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const NodePtr input = bids();
    const std::int64_t most = 1 + seed % 4;
    expect_same(top(input, most), top(first(input, most), most), seed);
    expect_same(latest(input), latest(last(input)), seed);
  }
}

}  // namespace
}  // namespace millrace::test
