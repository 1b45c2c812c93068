#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/allocations/counting_malloc.h"
#include "tests/allocations/line.h"

/// What the tests read, and how they count what that costs.
namespace millrace::allocations {

constexpr std::size_t kFew = 64, kMany = kMaxBatchRows;
constexpr std::int64_t kTime = 1'700'000'000'000;

constexpr const char* kBids =
    "CREATE STREAM bids (auction_key STRING KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, "
    "url STRING, dateTime BIGINT, extra STRING) WITH (kafka_topic='bids', value_format='JSON', partitions=4, "
    "timestamp='dateTime');";
inline Fetch bids(std::size_t rows, std::size_t round) {
  std::vector<std::string> keys, values;
  for (std::size_t i = 0; i < rows; ++i) {
    keys.push_back(std::to_string(i));
    values.push_back(
        fmt::format(R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}",)"
                    R"("url":"https://www.nexmark.com/{}/item.htm?query=1","dateTime":{},"extra":"{:032x}"}})",
                    i, i / 4, 100 + round, i % 100, i, kTime + static_cast<std::int64_t>(round), i));
  }
  return make_fetch(std::move(keys), std::move(values), kTime);
}

/// Allocations of one batch of each size and its commit, after some rounds of warming up.
struct Cost {
  std::uint64_t few = 0, many = 0;
};
inline Cost measure(const std::function<void(std::size_t rows, std::size_t round)>& prepare,
                    const std::function<void()>& run) {
  Cost cost;
  for (std::size_t round = 0; round < 6; ++round) {
    for (const bool large : {true, false}) {
      prepare(large ? kMany : kFew, round);
      const std::uint64_t before = count();
      run();
      (large ? cost.many : cost.few) = count() - before;
    }
  }
  return cost;
}

}  // namespace millrace::allocations
