#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "harness.h"
#include "planner/types/civil.h"

namespace millrace::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodePtr left_stream() {
  return stream({key("ID", Type::bigint()), value("L", Type::string())});
}
NodePtr right_stream() {
  return stream({key("ID", Type::bigint()), value("R", Type::string())});
}
NodePtr left_table() {
  return table({key("ID", Type::bigint()), value("L", Type::string()), value("F", Type::bigint())});
}
NodePtr right_table() {
  return table({key("ID", Type::bigint()), value("R", Type::string())});
}
ColumnDef id() {
  return key("ID", Type::bigint());
}

TestRow row(std::int64_t k, const char* v, std::int64_t ts) {
  return {{number(k), text(v)}, ts, RowKind::update_after};
}
TestRow gone(std::int64_t k, std::int64_t ts) {
  return {{number(k)}, ts, RowKind::remove};
}

TEST(StreamTableJoin, StreamRowsMeetTheNewestTableRow) {
  for (const JoinType type : {JoinType::inner, JoinType::left}) {
    Pipe pipe(make_node(StreamTableJoinNode{left_stream(), right_table(), type, id()}), {});
    pipe.feed({row(1, "a", 1)});
    pipe.feed(1, {row(1, "x", 5), row(2, "y", 2)});
    pipe.feed({row(1, "b", 3),
               {{number(2)}, 4, RowKind::insert, true},
               {{Value(), text("c")}, 4, RowKind::insert, false, true}});
    pipe.feed(1, {gone(1, 6)});
    pipe.feed({row(1, "d", 7), row(2, "e", 8)});
    if (type == JoinType::inner) {
      EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, b, 1, x | @3", "2 | 2, e, 2, y | @8"));
    } else {
      EXPECT_THAT(pipe.take(),
                  ElementsAre("1 | 1, a, null, null | @1", "1 | 1, b, 1, x | @3", "null | null, c, null, null | @4",
                              "1 | 1, d, null, null | @7", "2 | 2, e, 2, y | @8"));
    }
  }
}

NodePtr streams_joined(JoinType type, std::int64_t before, std::int64_t after, std::optional<std::int64_t> grace) {
  return make_node(StreamStreamJoinNode{left_stream(), right_stream(), type, id(), before, after,
                                        grace.value_or(kMillisPerDay), !grace});
}

TEST(StreamStreamJoin, RowsMeetWithinTheirTimes) {
  Pipe pipe(streams_joined(JoinType::inner, 10, 10, {}), {});
  pipe.feed(0, {row(1, "a", 0), row(1, "b", 5)});
  pipe.feed(1, {row(1, "x", 12), row(1, "y", 3), row(2, "z", 3)});
  EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, b, 1, x | @12", "1 | 1, a, 1, y | @3", "1 | 1, b, 1, y | @5"));
}

TEST(StreamStreamJoin, WithoutGraceUnmatchedRowsGoOutAtOnce) {
  Pipe pipe(streams_joined(JoinType::left, 10, 10, {}), {});
  pipe.feed(0, {row(1, "a", 0)});
  pipe.feed(1, {row(1, "x", 2)});
  EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, a, null, null | @0", "1 | 1, a, 1, x | @2"));
}

TEST(StreamStreamJoin, WithGraceUnmatchedRowsWait) {
  Pipe pipe(streams_joined(JoinType::full, 10, 10, 5), {});
  pipe.feed(0, {row(1, "a", 0), row(2, "b", 1)});
  pipe.feed(1, {row(1, "x", 4), row(3, "y", 4)});
  EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, a, 1, x | @4"));
  pipe.commit();
  pipe.crash();
  pipe.feed(0, {row(4, "c", 16)});
  EXPECT_THAT(pipe.take(), IsEmpty());
  pipe.feed(1, {row(5, "z", 40), row(6, "late", 2)});
  EXPECT_THAT(pipe.take(), ElementsAre("2 | 2, b, null, null | @1", "3 | null, null, 3, y | @4",
                                       "4 | 4, c, null, null | @16", "6 | null, null, 6, late | @2"));
  EXPECT_EQ(pipe.late(), 1u);
}

TEST(TableTableJoin, FollowsTheMatrix) {
  const auto run = [](JoinType type) {
    Pipe pipe(make_node(TableTableJoinNode{left_table(), right_table(), type, id()}), {});
    const auto l = [](std::int64_t k, const char* v, std::int64_t ts) {
      return TestRow{{number(k), text(v), number(0)}, ts, RowKind::update_after};
    };
    pipe.feed(0, {l(1, "a", 10)});
    pipe.feed(1, {row(1, "x", 5), row(2, "y", 6)});
    pipe.feed(1, {gone(1, 12), gone(7, 13)});
    pipe.feed(0, {gone(1, 14), gone(2, 15)});
    return pipe.take();
  };
  EXPECT_THAT(run(JoinType::inner),
              ElementsAre("1 | 1, a, 0, 1, x | @10 | after", "1 | null, null, null, null, null | @12 | remove"));
  EXPECT_THAT(run(JoinType::left),
              ElementsAre("1 | 1, a, 0, null, null | @10 | after", "1 | 1, a, 0, 1, x | @10 | after",
                          "1 | 1, a, 0, null, null | @12 | after", "1 | null, null, null, null, null | @14 | remove"));
  EXPECT_THAT(run(JoinType::full),
              ElementsAre("1 | 1, a, 0, null, null | @10 | after", "1 | 1, a, 0, 1, x | @10 | after",
                          "2 | null, null, null, 2, y | @6 | after", "1 | 1, a, 0, null, null | @12 | after",
                          "1 | null, null, null, null, null | @14 | remove"));
}

TestRow ref(std::int64_t k, const char* v, std::int64_t foreign, std::int64_t ts) {
  return {{number(k), text(v), number(foreign)}, ts, RowKind::update_after};
}

TEST(ForeignKeyJoin, FollowsBothSides) {
  const NodePtr left = left_table();
  for (const JoinType type : {JoinType::inner, JoinType::left}) {
    Pipe pipe(make_node(ForeignKeyJoinNode{left, right_table(), type, column(left, "F")}), {});
    pipe.feed(0, {ref(1, "a", 7, 1), ref(2, "b", 7, 2)});
    pipe.feed(1, {row(7, "x", 5)});
    pipe.commit();
    pipe.crash();
    pipe.feed(0, {ref(1, "c", 8, 6)});
    pipe.feed(1, {gone(7, 9)});
    pipe.feed(0, {gone(2, 10), gone(5, 11)});
    if (type == JoinType::inner) {
      EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, a, 7, 7, x | @5 | after", "2 | 2, b, 7, 7, x | @5 | after",
                                           "1 | null, null, null, null, null | @6 | remove",
                                           "2 | null, null, null, null, null | @9 | remove",
                                           "2 | null, null, null, null, null | @10 | remove"));
    } else {
      EXPECT_THAT(pipe.take(),
                  ElementsAre("1 | 1, a, 7, null, null | @1 | after", "2 | 2, b, 7, null, null | @2 | after",
                              "1 | 1, a, 7, 7, x | @5 | after", "2 | 2, b, 7, 7, x | @5 | after",
                              "1 | 1, c, 8, null, null | @6 | after", "2 | 2, b, 7, null, null | @9 | after",
                              "2 | null, null, null, null, null | @10 | remove"));
    }
  }
}

TEST(Materialize, GivesOneChangePerKeyAndCommit) {
  Pipe pipe(make_node(MaterializeNode{.input = right_table()}), {.every_change = false});
  pipe.feed({row(1, "a", 1), row(1, "b", 2), row(2, "c", 3), row(3, "d", 4), gone(3, 5)});
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("1 | b | @2 | after", "2 | c | @3 | after"));
  pipe.feed({gone(1, 6), row(2, "e", 7)});
  pipe.commit();
  EXPECT_THAT(pipe.take(), ElementsAre("1 | null | @6 | remove", "2 | e | @7 | after"));
}

/// Random rows on both sides: batch sizes, failed commits, crashes and spills must not matter.
class JoinRuns : public testing::TestWithParam<int> {};

NodePtr join_of(int kind) {
  switch (kind) {
    case 0:
      return streams_joined(JoinType::inner, 5, 10, {});
    case 1:
      return streams_joined(JoinType::full, 5, 10, 8);
    case 2:
      return streams_joined(JoinType::left, 0, 6, 0);
    case 3:
      return make_node(TableTableJoinNode{left_table(), right_table(), JoinType::full, id()});
    case 4:
      return make_node(StreamTableJoinNode{left_stream(), right_table(), JoinType::left, id()});
    default: {
      const NodePtr left = left_table();
      return make_node(
          ForeignKeyJoinNode{left, right_table(), kind == 5 ? JoinType::inner : JoinType::left, column(left, "F")});
    }
  }
}

struct Part {
  std::size_t leaf;
  std::vector<TestRow> rows;
};

std::vector<Part> random_parts(std::mt19937& random, int kind) {
  std::vector<Part> parts;
  std::int64_t time = 0;
  for (int p = 0; p < 60; ++p) {
    Part part{random() % 2, {}};
    const bool is_table = kind >= 3 && !(kind == 4 && part.leaf == 0);
    for (std::size_t i = random() % 8 + 1; i > 0; --i) {
      time += random() % 3;
      const auto k = static_cast<std::int64_t>(random() % 5);
      const std::int64_t ts = std::max<std::int64_t>(0, time - static_cast<std::int64_t>(random() % 12));
      const std::string v = "v" + std::to_string(random() % 100);
      if (is_table && random() % 4 == 0) {
        part.rows.push_back(gone(k, ts));
      } else {
        part.rows.push_back(ref(k, v.c_str(), static_cast<std::int64_t>(random() % 5), ts));
      }
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

TEST_P(JoinRuns, BatchSizesAndFaultsDoNotMatter) {
  std::mt19937 random(11);
  const std::vector<Part> parts = random_parts(random, GetParam());
  const NodePtr node = join_of(GetParam());
  Pipe plain(node, {.batch_rows = 1}), many(node, {});
  for (const Part& part : parts) {
    plain.feed(part.leaf, part.rows);
    many.feed(part.leaf, part.rows);
  }
  const auto expected = plain.take();
  ASSERT_EQ(expected, many.take());
  EXPECT_GT(expected.size(), 20u);
  auto db = StateDb::open({.directory = testing::TempDir() + "/millrace_joins_" + std::to_string(getpid()) + "_" +
                                        std::to_string(GetParam())});
  ASSERT_TRUE(db);
  Pipe faulty(node, {.batch_rows = 3, .db = db->get()});
  std::vector<std::string> got;
  for (std::size_t done = 0; done < parts.size();) {
    const std::size_t count = std::min<std::size_t>(random() % 4 + 1, parts.size() - done);
    for (std::size_t p = done; p < done + count; ++p) faulty.feed(parts[p].leaf, parts[p].rows);
    switch (random() % 5) {
      case 0:
        faulty.commit(false);
        break;
      case 1:
        faulty.crash();
        break;
      default: {
        faulty.commit();
        done += count;
        const auto part = faulty.take();
        got.insert(got.end(), part.begin(), part.end());
        if (random() % 3 == 0) faulty.spill(random() % 2 == 0 ? 0 : 1 << 20);
      }
    }
    if (HasFatalFailure()) return;
  }
  ASSERT_EQ(expected, got);
}
INSTANTIATE_TEST_SUITE_P(, JoinRuns, testing::Range(0, 7));

}  // namespace
}  // namespace millrace::test
