#include "exec/runtime/layout.h"

#include <gtest/gtest.h>

#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

/// `c` is written once and read by two subtopologies.
constexpr const char* kShared =
    "CREATE STREAM s (id STRING KEY, k STRING, g STRING, v INT) WITH (kafka_topic='s', value_format='JSON');"
    "CREATE TABLE part AS WITH c AS (SELECT k, MAX(g) AS g, SUM(v) AS total FROM s GROUP BY k),"
    " sums AS (SELECT g, SUM(total) AS of_all FROM c GROUP BY g)"
    " SELECT c.k AS k, c.total AS total, sums.of_all AS of_all FROM c JOIN sums ON c.g = sums.g;";

class SharedTopic : public testing::Test {
 protected:
  SharedTopic() : bench_({.workers = 0}), plan_(bench_.plan(kShared, 3)) {
    TopicSizes sizes(*bench_.log);
    layout_ = *make_layout(sizes, plan_, 16);
    for (const InternalTopic& topic : plan_.topics)
      if (topic.name.find("Shared") != std::string::npos) topic_ = topic.name;
    for (std::size_t sub = 0; sub < layout_.subtopologies.size(); ++sub)
      for (const LayoutInput& input : layout_.subtopologies[sub].inputs)
        if (input.topic == topic_) readers_.push_back(sub);
  }
  Bench bench_;
  PhysicalPlan plan_;
  QueryLayout layout_;
  std::string topic_;
  std::vector<std::size_t> readers_;
};

TEST_F(SharedTopic, IsReadInTheSameSlotsByAll) {
  ASSERT_EQ(readers_.size(), 2U);
  EXPECT_EQ(layout_.readers_of(topic_), 2);
  for (int partition = 0; partition < layout_.subtopologies[readers_[0]].tasks; ++partition)
    EXPECT_TRUE(layout_.slot_of(readers_[0], partition) == layout_.slot_of(readers_[1], partition));
}

TEST_F(SharedTopic, IsDoneWithUpToWhereAllHaveReadIt) {
  ASSERT_EQ(readers_.size(), 2U);
  using Positions = std::vector<std::pair<std::size_t, std::int64_t>>;
  const std::size_t writer = readers_[0] - 1;
  EXPECT_EQ(layout_.read_by_all(topic_, Positions{{readers_[0], 7}, {readers_[1], 5}, {writer, 1}}), 5);
  EXPECT_EQ(layout_.read_by_all(topic_, Positions{{readers_[0], 7}, {writer, 9}}), std::nullopt);
}

}  // namespace
}  // namespace millrace::runtime_test
