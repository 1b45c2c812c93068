#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "exec/log/local/memory.h"
#include "parser/syntax/parse.h"
#include "tests/allocations/bids.h"
#include "tests/allocations/counting_malloc.h"
#include "tests/allocations/line.h"

/// Once warm, a batch must not allocate per row: as many rows as a batch can hold cost as many allocations as few do.
namespace millrace::allocations {
namespace {

constexpr const char* kAuctions =
    "CREATE TABLE auctions (auction_key STRING PRIMARY KEY, id BIGINT, category STRING) WITH (kafka_topic='auctions', "
    "value_format='JSON', partitions=4);";

Fetch auctions() {
  std::vector<std::string> keys, values;
  for (std::size_t i = 0; i < kMany; ++i) {
    keys.push_back(std::to_string(i));
    values.push_back(fmt::format(R"({{"id":{},"category":"cat-{}"}})", i, i % 20));
  }
  return make_fetch(std::move(keys), std::move(values), 0);
}

struct Case {
  const char* name;
  const char* sql;
  std::uint64_t allowed;  // allocations of a batch with its commit, whatever its size
  // How many more those of a large one may be: as many records as a batch of the log holds seal it and begin another,
  // of the output and of the changelog.
  std::uint64_t growth = 6;
  bool every_change = false;  // tables give each change at once
  std::size_t subtopology = 0;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

class Allocations : public testing::TestWithParam<Case> {
 protected:
  Allocations()
      : session_({{"cache.max.bytes.buffering", GetParam().every_change ? "0" : "10485760"}}, {}),
        log_(make_memory_log()) {
    const auto statements = parse(std::string(kBids) + kAuctions + GetParam().sql);
    session_.declare_topics_of(statements, 4);
    for (const auto& statement : statements) session_.apply(statement);
    for (const auto& [topic, info] : session_.topics()) create(topic);
    for (const InternalTopic& topic : plan().topics) create(topic.name);
  }
  const PhysicalPlan& plan() const { return *session_.queries().back().plan; }
  // With one partition each, so that one line sees every row; the plan is for four.
  void create(const std::string& topic) { (void)log_->create_topic(topic, {}); }

  /// What the line under test reads: bids, or what the line before it makes of them.
  Fetch input(std::size_t rows, std::size_t round) {
    if (GetParam().subtopology == 0) return bids(rows, round);
    if (!reader_) {
      before_ = std::make_unique<Line>(*log_, plan(), 0);
      reader_ = std::move(*log_->reader("test"));
      (void)reader_->add({topic(), 0}, kOffsetBeginning);
    }
    before_->feed("bids", bids(rows, round));
    before_->commit(true);
    while (true) {
      auto fetch = reader_->poll(rows, std::chrono::seconds{10});
      if (!fetch) throw std::runtime_error(fetch.error().message);
      if (!*fetch) continue;
      EXPECT_EQ((*fetch)->records.size(), rows / 4) << "four bids of a bidder become one row";
      return std::move(**fetch);
    }
  }
  std::string topic() const {
    if (GetParam().subtopology == 0) return "bids";
    return plan().subtopologies[0].root->as<SinkNode>()->topic;
  }

  harness::Session session_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Line> before_;
  std::unique_ptr<Reader> reader_;
};

TEST_P(Allocations, DoNotDependOnTheNumberOfRows) {
  Line line(*log_, plan(), GetParam().subtopology);
  line.feed("auctions", auctions());
  line.commit();
  Fetch fetch;
  const auto run = [&] {
    line.feed(topic(), fetch);
    line.commit();
  };
  const Cost cost = measure([&](std::size_t rows, std::size_t round) { fetch = input(rows, round); }, run);
  EXPECT_GT(line.rows_out(), 0U);
  RecordProperty("allocations", static_cast<int>(cost.many));
  EXPECT_LE(cost.many, cost.few + GetParam().growth)
      << "a batch of " << kMany << " rows allocates more often than one of " << kFew;
  EXPECT_LE(cost.many, GetParam().allowed);
  if (std::getenv("TRACE_ALLOCATIONS") == nullptr) return;  // prints where the large batch allocates
  fetch = input(kMany, 7);
  const Trace trace;
  run();
}

constexpr const char* kWindowed =
    "CREATE TABLE o AS SELECT auction_key, COUNT(*) AS n, SUM(price) AS total, MAX(price) AS top FROM bids WINDOW "
    "TUMBLING (SIZE 10 SECONDS) GROUP BY auction_key;";
constexpr const char* kByBidder =
    "CREATE TABLE o AS SELECT bidder, COUNT(*) AS n, MAX(price) AS top FROM bids GROUP BY bidder;";

INSTANTIATE_TEST_SUITE_P(
    HotPath, Allocations,
    testing::Values(
        Case{"Project",
             "CREATE STREAM o AS SELECT auction_key, auction, bidder, price * 0.908e0 AS price, dateTime FROM bids;",
             26},
        Case{"Filter", "CREATE STREAM o AS SELECT auction_key, auction, url FROM bids WHERE auction % 3 = 0;", 40},
        Case{"Delimited",
             "CREATE STREAM o WITH (value_format='DELIMITED') AS SELECT auction_key, price, channel FROM bids;", 26},
        Case{"WindowedAggregate", kWindowed, 46}, Case{"WindowedAggregateEveryChange", kWindowed, 46, 6, true},
        // Memory of the groups it has combined is given back at every commit.
        Case{"BeforeARepartition", kByBidder, 90, 40}, Case{"AfterARepartition", kByBidder, 46, 6, false, 1},
        Case{"StreamTableJoin",
             "CREATE STREAM o AS SELECT b.auction_key AS auction_key, b.price AS price, a.category AS category FROM "
             "bids b JOIN auctions a ON b.auction_key = a.auction_key;",
             36}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace millrace::allocations
