#include <gtest/gtest.h>

#include <map>

#include "exec/log/local/memory.h"
#include "exec/log/log.h"
#include "server/session/service.h"

namespace millrace {
namespace {

/// Notes how topics are asked for; the log beneath has one process and takes one replica.
class NotingLog final : public Log {
 public:
  std::map<std::string, TopicConfig> asked;

  LogTraits traits() const override { return log_->traits(); }
  Status create_topic(const std::string& name, const TopicConfig& config) override {
    asked[name] = config;
    TopicConfig single = config;
    single.replicas = 1;
    return log_->create_topic(name, single);
  }
  Result<std::vector<TopicDescription>> list_topics() override { return log_->list_topics(); }
  Result<std::optional<TopicDescription>> describe_topic(const std::string& name) override {
    return log_->describe_topic(name);
  }
  Status delete_topic(const std::string& name) override { return log_->delete_topic(name); }
  Status truncate_before(const TopicPartition& partition, std::int64_t offset) override {
    return log_->truncate_before(partition, offset);
  }
  Result<Bounds> bounds(const TopicPartition& partition, bool committed) override {
    return log_->bounds(partition, committed);
  }
  Result<std::unique_ptr<Reader>> reader(const std::string& client_id) override { return log_->reader(client_id); }
  Result<std::unique_ptr<Writer>> writer(const std::string& id, Membership* membership) override {
    return log_->writer(id, membership);
  }
  Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots,
                                                 const std::string& advertised) override {
    return log_->membership(group, slots, advertised);
  }
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers) override {
    return log_->append_now(partition, key, value, timestamp, headers);
  }
  Result<std::string> cluster_id() override { return log_->cluster_id(); }

 private:
  const std::unique_ptr<Log> log_ = make_memory_log();
};

TEST(InternalTopics, HaveTheReplicasOfTheSettings) {
  NotingLog log;
  ServiceOptions options;
  options.workers = 0;
  options.process_id = "test";
  options.config.set("ksql.internal.topic.replicas", "3");
  options.config.set("ksql.internal.topic.min.insync.replicas", "2");
  options.config.set("ksql.logging.processing.topic.replication.factor", "2");
  auto service = Service::open(log, std::move(options));
  ASSERT_TRUE(service) << service.error().message;
  const Reply reply = (*service)->execute(
      {.sql = "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', partitions=2, value_format='JSON');"
              "CREATE TABLE t AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;"});
  ASSERT_FALSE(reply.error) << reply.error->message;
  int internal = 0, changelogs = 0, repartitions = 0;
  for (const auto& [name, config] : log.asked) {
    changelogs += name.ends_with("-changelog");
    repartitions += name.ends_with("-repartition");
    if (!name.starts_with("_confluent-ksql-") && name != "default_slots") continue;
    ++internal;
    EXPECT_EQ(config.replicas, 3) << name;
    EXPECT_EQ(config.min_insync_replicas, 2) << name;
  }
  EXPECT_EQ(changelogs, 1);
  EXPECT_EQ(repartitions, 1);
  EXPECT_EQ(internal, 4);  // and the slots, and the commands
  EXPECT_EQ(log.asked.at("default_ksql_processing_log").replicas, 2);
  EXPECT_NE(log.asked.at("s").replicas, 3);  // no internal one
}

// Where that is set, otherwise the log's own number (-1).
TEST(InternalTopics, SinksTakeTheReplicasOfTheirSource) {
  for (const bool inherit : {false, true}) {
    NotingLog log;
    ServiceOptions options;
    options.workers = 0;
    options.process_id = "test";
    options.config.set("ksql.create.topic.inherit.source.replicas.enabled", inherit ? "true" : "false");
    auto service = Service::open(log, std::move(options));
    ASSERT_TRUE(service) << service.error().message;
    const Reply reply = (*service)->execute(
        {.sql = "CREATE STREAM s (v INT) WITH (kafka_topic='s', partitions=1, replicas=3, value_format='JSON');"
                "CREATE STREAM c AS SELECT * FROM s;"});
    ASSERT_FALSE(reply.error) << reply.error->message;
    EXPECT_EQ(log.asked.at("s").replicas, 3);
    EXPECT_EQ(log.asked.at("C").replicas == 3, inherit);
  }
}

}  // namespace
}  // namespace millrace
