#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exec/runtime/shared_decoder.h"
#include "tests/unit/exec_runtime/harness.h"

// Queries that read one topic at the same place decode it once, and nobody can tell.
namespace millrace::runtime_test {
namespace {

using testing::Contains;
using testing::SizeIs;

/// Keys and one value column of `input`.
NodePtr only(NodePtr input, std::size_t column) {
  const Schema schema = input->schema;
  ProjectNode node;
  node.input = std::move(input);
  for (const std::size_t c : {std::size_t{0}, column})
    node.items.push_back({schema.columns[c], make_column(c, schema.columns[c].type, schema.columns[c].name)});
  return make_node(std::move(node));
}
NodePtr stream() {
  return source("in", RelationKind::stream);
}

class Sharing : public testing::Test {
 protected:
  Sharing() : bench_({.workers = 0}) {
    for (const char* topic : {"in", "all", "v", "s"}) bench_.create(topic, 1);
  }
  static std::vector<Bench::Plan> plans() {
    std::vector<Bench::Plan> all;
    for (const auto& [root, id] :
         {std::pair{sink(stream(), "all"), "ALL"}, std::pair{sink(only(stream(), 1), "v"), "V"},
          std::pair{sink(only(stream(), 2), "s"), "S"}})
      all.push_back(std::make_shared<const PhysicalPlan>(physical(root, id)));
    return all;
  }
  void start_all() {
    for (const Bench::Plan& plan : plans()) bench_.start({plan});
  }
  void append(int from, int to) {
    for (int i = from; i < to; ++i)
      bench_.feed("in", "k" + std::to_string(i),
                  R"({"V":)" + std::to_string(i) + R"(,"S":"s)" + std::to_string(i) + "\"}", i);
  }
  void feed(int from, int to) {
    append(from, to);
    bench_.settle();
  }
  Bench bench_;
};

TEST_F(Sharing, RecordsAreDecodedOnceForAll) {
  start_all();
  feed(0, 100);
  EXPECT_EQ(bench_.engine->rows_decoded(), 100U);
  EXPECT_THAT(bench_.read("all"), Contains(Row{"k7", R"({"V":7,"S":"s7"})", 7}));
  EXPECT_THAT(bench_.read("v"), Contains(Row{"k7", R"({"V":7})", 7}));
  EXPECT_THAT(bench_.read("s"), Contains(Row{"k7", R"({"S":"s7"})", 7}));
  for (const char* topic : {"all", "v", "s"}) EXPECT_THAT(bench_.read(topic), SizeIs(100));
}

TEST_F(Sharing, ManyFiltersDecodeOnceAndEachGivesItsRows) {
  constexpr int kFilters = 12;
  std::vector<Bench::Plan> filters;
  for (int i = 0; i < kFilters; ++i) {
    const std::string topic = "above" + std::to_string(i);
    bench_.create(topic, 1);
    filters.push_back(std::make_shared<const PhysicalPlan>(
        physical(sink(filter_greater(stream(), 1, 8 * i), topic), "F" + std::to_string(i))));
  }
  bench_.start(filters);
  for (int from = 0; from < 90; from += 30) feed(from, from + 30);
  EXPECT_EQ(bench_.engine->rows_decoded(), 90U);
  for (int i = 0; i < kFilters; ++i) {
    const std::vector<Row> rows = bench_.read("above" + std::to_string(i));
    EXPECT_THAT(rows, SizeIs(std::max(0, 89 - 8 * i)));
    if (!rows.empty()) {
      const std::string first = std::to_string(8 * i + 1);
      EXPECT_EQ(rows.front(), (Row{"k" + first, R"({"V":)" + first + R"(,"S":"s)" + first + "\"}", 8 * i + 1}));
    }
  }
}

TEST_F(Sharing, ThoseWhoStartTogetherDecodeOnceWhatIsThere) {
  append(0, 20'000);
  bench_.start(plans());
  bench_.settle();
  EXPECT_EQ(bench_.engine->rows_decoded(), 20'000U);
  for (const char* topic : {"all", "v", "s"}) EXPECT_THAT(bench_.read(topic), SizeIs(20'000));
}

TEST_F(Sharing, ThoseWhoAreResumedByOneStartDecodeOnceWhatTheyMissed) {
  start_all();
  feed(0, 10);
  append(10, 20'000);
  bench_.restart();
  bench_.settle();
  EXPECT_EQ(bench_.engine->rows_decoded(), 19'990U);
  for (const char* topic : {"all", "v", "s"}) EXPECT_THAT(bench_.read(topic), SizeIs(20'000));
}

TEST_F(Sharing, ABadValueConcernsThoseWhoReadIt) {
  start_all();
  feed(0, 1);
  bench_.feed("in", "bad", R"({"V":"many","S":"text"})", 1);
  feed(2, 3);
  EXPECT_THAT(bench_.read("s"), SizeIs(3));
  EXPECT_THAT(bench_.read("s"), Contains(Row{"bad", R"({"S":"text"})", 1}));
  for (const char* topic : {"all", "v"}) EXPECT_THAT(bench_.read(topic), SizeIs(2));
  EXPECT_EQ(bench_.engine->status("S")->bad_records, 0U);
  for (const char* query : {"ALL", "V"}) EXPECT_EQ(bench_.engine->status(query)->bad_records, 1U);
}

TEST_F(Sharing, ColumnsFollowThoseWhoComeAndGo) {
  bench_.start(physical(sink(only(stream(), 1), "v"), "V"));
  bench_.start(physical(sink(only(filter_greater(stream(), 1, 0), 1), "all"), "W"));
  feed(0, 10);
  bench_.start(physical(sink(only(stream(), 2), "s"), "S"));
  feed(10, 20);
  ASSERT_TRUE(bench_.engine->stop_query("V"));
  feed(20, 30);
  EXPECT_THAT(bench_.read("v"), SizeIs(20));
  EXPECT_THAT(bench_.read("all"), SizeIs(29));
  EXPECT_THAT(bench_.read("s"), SizeIs(30));
  EXPECT_THAT(bench_.read("s"), Contains(Row{"k25", R"({"S":"s25"})", 25}));
  // It reads alone until it has met the others; each for itself it would be 80.
  EXPECT_LE(bench_.engine->rows_decoded(), 50U);
}

TEST_F(Sharing, WhoeverIsPausedReadsForItselfUntilItHasCaughtUp) {
  start_all();
  feed(0, 10);
  ASSERT_TRUE(bench_.engine->pause_query("S"));
  feed(10, 20);
  ASSERT_TRUE(bench_.engine->resume_query("S"));
  feed(20, 30);
  for (const char* topic : {"all", "v", "s"}) EXPECT_THAT(bench_.read(topic), SizeIs(30));
  EXPECT_THAT(bench_.read("s"), Contains(Row{"k15", R"({"S":"s15"})", 15}));
}

// What one decoder made of records must not be taken for another's, which may stand where the first one was.
TEST(SharedDecoderVersions, AreNeverUsedTwice) {
  SharedDecoders all(nullptr);
  Arrival arrival;
  arrival.fetch.records.resize(1);
  std::vector<std::uint64_t> versions;
  for (const std::size_t column : {1, 2}) {
    const auto decoder = all.of(*source(column == 1 ? "in" : "other", RelationKind::stream));
    decoder->add({column});
    decoder->decode(arrival, 0, 1);
    versions.push_back(decoder->version());
    decoder->remove({column});
  }
  EXPECT_NE(versions[0], versions[1]);
  EXPECT_THAT(arrival.decoded, SizeIs(2));
}

}  // namespace
}  // namespace millrace::runtime_test
