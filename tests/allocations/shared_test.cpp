#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "exec/log/local/memory.h"
#include "parser/syntax/parse.h"
#include "tests/allocations/bids.h"
#include "tests/harness/session.h"

/// Queries over one topic that stand at the same place: what they share must not allocate per row either, and each row
/// is decoded once.
namespace millrace::allocations {
namespace {

constexpr std::size_t kQueries = 12;

/// Of each kind that an index of predicates knows, some that it does not, and different columns.
std::string filters() {
  std::string sql;
  for (std::size_t i = 0; i < kQueries; i += 4)
    sql += fmt::format(
        "CREATE STREAM a{0} AS SELECT auction_key, price FROM bids WHERE auction % 100 = {0};"
        "CREATE STREAM b{0} AS SELECT auction_key, url FROM bids WHERE auction % 100 = {0} AND price > 0;"
        "CREATE STREAM c{0} AS SELECT auction_key, bidder FROM bids WHERE bidder <= {0};"
        "CREATE STREAM d{0} AS SELECT auction_key, channel FROM bids WHERE auction % 50 = bidder % 50;",
        i);
  return sql;
}

TEST(SharedFilters, DoNotAllocatePerRowAndDecodeOnce) {
  harness::Session session({}, {});
  const std::unique_ptr<Log> log = make_memory_log();
  const auto statements = parse(std::string(kBids) + filters());
  session.declare_topics_of(statements, 4);
  for (const auto& statement : statements) session.apply(statement);
  for (const auto& [topic, info] : session.topics()) (void)log->create_topic(topic, {});
  ASSERT_EQ(session.queries().size(), kQueries);

  Line::Shared shared;
  std::vector<std::unique_ptr<Line>> lines;
  for (const auto& query : session.queries()) lines.push_back(std::make_unique<Line>(*log, *query.plan, 0, &shared));
  std::unique_ptr<Arrival> arrival;
  std::size_t records = 0;
  const auto prepare = [&](std::size_t rows, std::size_t round) {
    arrival = std::make_unique<Arrival>(Arrival{.fetch = bids(rows, round), .takers = kQueries});
    records += rows;
  };
  const auto run = [&] {
    for (const auto& line : lines) {
      line->feed("bids", *arrival);
      line->commit();
    }
  };
  const Cost cost = measure(prepare, run);
  EXPECT_EQ(shared.decoders.rows(), records);
  for (const auto& line : lines) EXPECT_GT(line->rows_out(), 0U);
  RecordProperty("allocations", static_cast<int>(cost.many));
  EXPECT_LE(cost.many, cost.few + 4 * kQueries)
      << "a batch of " << kMany << " rows allocates more often than one of " << kFew;
  EXPECT_LE(cost.many, 24 * kQueries);
}

}  // namespace
}  // namespace millrace::allocations
