#include "exec/operators/due_keys.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::test {
namespace {

TEST(DueKeys, HoldsTheEarliestAndReadsOn) {
  std::vector<DueKeys::Key> stored;  // in no order, many at one time
  for (std::int64_t i = 0; i < 1000; ++i) stored.push_back({i * 37 % 200, i % 2 == 0, std::to_string(i)});
  for (std::int64_t i = 0; i < 100; ++i) stored.push_back({50, false, "same " + std::to_string(i)});
  DueKeys due(16);
  due.begin_at(0);
  std::vector<DueKeys::Key> given;
  for (std::int64_t bound = 10; bound <= 210; bound += 40) {
    while (!due.none_before(bound)) {
      auto& keys = due.keys();
      while (!keys.empty() && keys.begin()->time < bound) {
        given.push_back(*keys.begin());
        keys.erase(keys.begin());
      }
      if (due.known_to() >= bound) break;
      const std::int64_t end = due.known_to() / 64 * 64 + 64;
      const auto visit = [&](std::int64_t from, std::int64_t to) -> Status {
        for (const DueKeys::Key& key : stored)
          if (key.time >= from && key.time < to) due.add(key);
        return {};
      };
      ASSERT_TRUE(due.read_on(bound, end <= 256 ? std::optional(end) : std::nullopt, visit));
      EXPECT_LE(due.keys().size(), 250u);
    }
  }
  std::sort(stored.begin(), stored.end());
  EXPECT_EQ(given, stored);
}

}  // namespace
}  // namespace millrace::test
