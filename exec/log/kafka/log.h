#pragma once

#include <map>
#include <memory>
#include <string>

#include "exec/log/kafka/cluster.h"
#include "exec/log/kafka/open.h"
#include "exec/log/log.h"

namespace millrace::inline exec {

/// The Kafka cluster that holds the progress of queries, and others whose topics they use.
class KafkaLog final : public Log {
 public:
  using Others = std::map<std::string, std::unique_ptr<kafka::Cluster>, std::less<>>;
  KafkaLog(std::unique_ptr<kafka::Cluster> home, Others others) : home_(std::move(home)), others_(std::move(others)) {}

  LogTraits traits() const override { return {.membership = true, .other_clusters = true}; }
  std::vector<std::string> clusters() const override;
  bool is_away(std::string_view cluster) const override;
  Status create_topic(const std::string& name, const TopicConfig& config) override;
  Result<std::vector<TopicDescription>> list_topics() override;
  Result<std::optional<TopicDescription>> describe_topic(const std::string& name) override;
  Result<std::vector<int>> partition_counts(std::span<const std::string> topics) override;
  Status create_topics(std::span<const NewTopic> topics) override;
  Status delete_topic(const std::string& name) override;
  Status truncate_before(const TopicPartition& partition, std::int64_t offset) override;
  Status truncate_all(std::span<const Truncation> truncations) override;
  Result<Bounds> bounds(const TopicPartition& partition, bool committed) override;
  Result<std::vector<Bounds>> bounds_of(std::span<const TopicPartition> partitions, bool committed) override;
  Result<std::unique_ptr<Reader>> reader(const std::string& client_id) override;
  Result<std::unique_ptr<Reader>> reader_to_end(const std::string& client_id) override;
  /// `ID@CLUSTER` is what the writer ID has in another cluster: whoever makes it ends what was left there.
  Result<std::unique_ptr<Writer>> writer(const std::string& transactional_id, Membership* membership) override;
  Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots_topic,
                                                 const std::string& advertised) override;
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers) override;
  Result<std::string> cluster_id() override;
  void end_within(std::chrono::milliseconds wait) override;

  // For readers, writers and memberships.
  kafka::Cluster& home() { return *home_; }
  struct Place {
    kafka::Cluster* cluster;
    std::string name;  // of the topic there
  };
  /// Where a topic lies. An error where its cluster is not known, or away.
  Result<Place> place_of(std::string_view topic);
  // Of the cluster with the progress.
  kafka::Admin& admin() { return home_->admin(); }
  const std::shared_ptr<kafka::Ending>& ending() const { return home_->ending(); }
  const KafkaOptions& options() const { return home_->options(); }

 private:
  template <class Item, class Ask>
  Status each_cluster(std::span<const Item> items, Ask&& ask);
  template <class Answer, class Item, class Ask>
  Result<std::vector<Answer>> ask_each(std::span<const Item> items, const Ask& ask);
  template <class Ask>
  auto ask_there(std::string_view topic, const Ask& ask)
      -> decltype(ask(std::declval<kafka::Cluster&>(), std::string()));

  const std::unique_ptr<kafka::Cluster> home_;
  const Others others_;
};

}  // namespace millrace::inline exec
