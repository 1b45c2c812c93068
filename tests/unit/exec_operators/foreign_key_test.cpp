#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness.h"

// Parts of foreign-key joins over several partitions: what becomes of a left row is told by several partitions, in any
// order.
namespace millrace::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using enum ForeignKeyMark;

NodePtr answers() {
  return stream({key("ID", Type::bigint()), value("VERSION", Type::bigint()), value("MARK", Type::integer()),
                 value("L", Type::string()), value("R", Type::bigint())});
}
NodePtr settle(bool outer) {
  const NodePtr input = answers();
  return make_node(
      ForeignKeySettleNode{input, column(input, "VERSION"), column(input, "MARK"), column(input, "R"), outer});
}
std::int32_t mark(ForeignKeyMark kind, ForeignKeyMark flag = row) {
  return static_cast<std::int32_t>(kind) | static_cast<std::int32_t>(flag);
}
TestRow answer(std::int64_t version, std::int32_t mark, const char* left, const Value& right) {
  return {{number(1), number(version), Value(mark), text(left), right}, version};
}
TestRow tells(std::int64_t version, ForeignKeyMark kind) {
  return {{number(1), number(version), Value(mark(kind)), Value(), Value()}, version};
}

TEST(ForeignKeySettle, WhatIsOlderThanTheNewestIsNotShown) {
  Pipe pipe(settle(false), {});
  pipe.feed({answer(1, mark(row), "a", number(7))});
  pipe.feed({answer(2, mark(row, moved), "b", number(8))});
  pipe.feed({answer(1, mark(row), "a", number(7))});  // the right row 7 has changed meanwhile
  pipe.feed({tells(2, left)});
  pipe.feed({answer(2, mark(row), "b", number(8))});
  EXPECT_THAT(pipe.take(),
              ElementsAre("1 | 1, 0, a, 7 | @1 | after", "1 | 2, 4, b, 8 | @2 | after", "1 | 2, 0, b, 8 | @2 | after"));
}

TEST(ForeignKeySettle, ARowThatIsGoneStaysGoneThoughOldAnswersCome) {
  Pipe pipe(settle(false), {});
  // It was at 6, 7 and 8, and is gone; those come last that were first.
  pipe.feed({answer(3, mark(row, moved), "c", number(8)), tells(4, removed)});
  pipe.commit();
  pipe.crash();
  pipe.feed({answer(2, mark(row, moved), "b", number(7)), tells(3, left)});
  pipe.commit();
  pipe.crash();
  pipe.feed({answer(1, mark(row), "a", number(6)), tells(2, left)});
  EXPECT_THAT(pipe.take(), ElementsAre("1 | 3, 4, c, 8 | @3 | after", "1 | null, null, null, null | @4 | remove"));
}

TEST(ForeignKeySettle, WithoutAMatchOnlyOuterJoinsShowARow) {
  for (const bool outer : {false, true}) {
    Pipe pipe(settle(outer), {});
    pipe.feed({answer(1, mark(row), "a", Value())});
    pipe.feed({answer(1, mark(row), "a", number(7))});
    pipe.feed({answer(1, mark(row), "a", Value())});
    pipe.feed({tells(2, removed)});
    if (outer) {
      EXPECT_THAT(pipe.take(),
                  ElementsAre("1 | 1, 0, a, null | @1 | after", "1 | 1, 0, a, 7 | @1 | after",
                              "1 | 1, 0, a, null | @1 | after", "1 | null, null, null, null | @2 | remove"));
    } else {
      EXPECT_THAT(pipe.take(), ElementsAre("1 | 1, 0, a, 7 | @1 | after", "1 | null, null, null, null | @1 | remove",
                                           "1 | null, null, null, null | @2 | remove"));
    }
  }
}

constexpr std::size_t nowhere = SIZE_MAX;

/// A left row goes from one foreign key to the next, and each tells of it in its own order: whatever the order between
/// them, the newest is shown in the end, nothing older after something newer, and nothing is kept of a row that is
/// gone.
TEST(ForeignKeySettle, AnyOrderComesToTheSame) {
  std::mt19937 random(7);
  for (int run = 0; run < 300; ++run) {
    std::vector<std::vector<TestRow>> lines(3);  // by partition
    std::vector<int> at_each;
    std::int64_t version = 0;
    std::size_t place = nowhere;
    const bool comes_back = run % 3 == 0;  // after it was removed: old answers may show then, but do not stay
    std::string last;
    for (int step = 0; step < 8; ++step) {
      ++version;
      if (random() % 5 == 0) {
        if (place != nowhere) lines[place].push_back(tells(version, removed));
        if (place != nowhere && !comes_back) {
          place = nowhere;
          break;
        }
        place = nowhere;
        continue;
      }
      const std::size_t next = random() % lines.size();
      const bool moves = place != nowhere && place != next;
      if (moves) lines[place].push_back(tells(version, left));
      const bool matched = random() % 4 != 0;
      const std::string name = "v" + std::to_string(version);
      const Value right = matched ? number(static_cast<std::int64_t>(next)) : Value();
      lines[next].push_back(answer(version, moves ? mark(row, moved) : mark(row), name.c_str(), right));
      if (random() % 3 == 0) lines[next].push_back(answer(version, mark(row), name.c_str(), right));
      place = next;
      last = matched ? name : "";
    }
    if (place != nowhere && run % 2 == 0) {
      lines[place].push_back(tells(++version, removed));
      place = nowhere;
    }
    Pipe pipe(settle(false), {.batch_rows = random() % 3 + 1});
    std::vector<std::size_t> at(lines.size());
    while (true) {
      std::vector<std::size_t> left_over;
      for (std::size_t i = 0; i < lines.size(); ++i)
        if (at[i] < lines[i].size()) left_over.push_back(i);
      if (left_over.empty()) break;
      const std::size_t from = left_over[random() % left_over.size()];
      pipe.feed(0, {lines[from][at[from]++]});
      if (random() % 6 != 0) continue;
      pipe.commit();
      pipe.crash();
    }
    pipe.commit();
    const auto shown = pipe.take();
    std::int64_t newest = 0;
    for (const std::string& line : shown) {
      if (line.ends_with("remove")) continue;
      const std::int64_t seen = std::stoll(line.substr(4));
      if (!comes_back) {
        EXPECT_GE(seen, newest) << line;
      }
      newest = seen;
    }
    const bool there = !shown.empty() && !shown.back().ends_with("remove");
    EXPECT_EQ(there, place != nowhere && !last.empty()) << run;
    if (there) {
      EXPECT_NE(shown.back().find(", " + last + ","), std::string::npos) << shown.back();
    }
    std::size_t kept = 0;
    ASSERT_TRUE(pipe.store(0).scan({}, {}, [&](std::string_view, std::string_view) { return ++kept > 0; }));
    EXPECT_EQ(kept, there ? 1u : 0u) << run;
  }
}

TEST(ForeignKeyRoute, TellsTheKeyThatARowLeaves) {
  const NodePtr input = table({key("ID", Type::bigint()), value("L", Type::string()), value("F", Type::bigint())});
  const auto put = [](std::int64_t id, const char* l, std::optional<std::int64_t> f, std::int64_t at) {
    return TestRow{{number(id), text(l), f ? number(*f) : Value()}, at, RowKind::update_after};
  };
  for (const bool outer : {false, true}) {
    Pipe pipe(make_node(ForeignKeyRouteNode{input, {{key("F", Type::bigint()), column(input, "F")}}, outer}), {});
    pipe.feed({put(1, "a", 7, 1), put(1, "b", 7, 2), put(1, "c", 8, 3)});
    pipe.commit();
    pipe.crash();
    pipe.feed({put(1, "d", std::nullopt, 4), {{number(1)}, 5, RowKind::remove}, {{number(2)}, 6, RowKind::remove}});
    if (outer) {
      EXPECT_THAT(pipe.take(),
                  ElementsAre("7 | 1, 0, 1, a, 7 | @1", "7 | 2, 0, 1, b, 7 | @2", "7 | 3, 1, 1, null, null | @3",
                              "8 | 3, 4, 1, c, 8 | @3", "8 | 4, 1, 1, null, null | @4", "0 | 4, 12, 1, d, null | @4",
                              "0 | 5, 2, 1, null, null | @5"));
    } else {
      EXPECT_THAT(pipe.take(),
                  ElementsAre("7 | 1, 0, 1, a, 7 | @1", "7 | 2, 0, 1, b, 7 | @2", "7 | 3, 1, 1, null, null | @3",
                              "8 | 3, 4, 1, c, 8 | @3", "8 | 4, 2, 1, null, null | @4"));
    }
  }
}

}  // namespace
}  // namespace millrace::test
