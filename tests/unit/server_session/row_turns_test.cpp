#include "server/session/row_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(RowTurns, InsertsGoTogetherAndChangesAlone) {
  RowTurns turns;
  const auto first = turns.insert("t"), second = turns.insert("t");
  const auto other = turns.change("u");
  EXPECT_TRUE(first && second && other);
}

/// Each change reads, waits, and writes what it has read plus one; inserts write one more at once.
TEST(RowTurns, NothingIsLostBetweenReadingAndWriting) {
  RowTurns turns;
  std::atomic<int> rows = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 50; ++i) {
        if (thread % 2 == 0) {
          const auto turn = turns.change("t");
          const int read = rows;
          std::this_thread::yield();
          rows = read + 1;
        } else {
          const auto turn = turns.insert("t");
          ++rows;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(rows, 200);
}

}  // namespace
}  // namespace millrace
