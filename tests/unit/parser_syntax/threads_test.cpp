#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "parser/syntax/parse.h"

namespace millrace {
namespace {

TEST(Threads, ParseAtTheSameTime) {
  std::atomic<int> parsed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&parsed, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string n = std::to_string(t * 100 + i);
        parsed += static_cast<int>(parse("SELECT a" + n + " FROM s WHERE b IN (" + n + ", 2); SHOW TABLES;").size());
        parsed += reserved_words().empty() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(parsed, 160);
}

}  // namespace
}  // namespace millrace
