#include "exec/log/kafka/log.h"

#include <librdkafka/rdkafka.h>

#include "exec/log/kafka/joint_writer.h"
#include "exec/log/kafka/membership.h"
#include "exec/log/kafka/open.h"
#include "exec/log/kafka/reader.h"
#include "exec/log/kafka/writer.h"
#include "planner/types/topic_name.h"

namespace millrace::inline exec {
namespace {

std::string& name_in(std::string& topic) {
  return topic;
}
std::string& name_in(Log::NewTopic& topic) {
  return topic.first;
}
std::string& name_in(TopicPartition& partition) {
  return partition.topic;
}

}  // namespace

Result<KafkaLog::Place> KafkaLog::place_of(std::string_view topic) {
  const auto [cluster, name] = split_topic(topic);
  if (cluster.empty()) return Place{home_.get(), std::string(name)};
  const auto found = others_.find(cluster);
  if (found == others_.end())
    return user_error(
        "topic '{}' lies in a Kafka cluster that this server does not know (millrace.cluster.{}.bootstrap.servers)",
        topic, cluster);
  if (Status there = found->second->check(); !there) return there.error();
  return Place{found->second.get(), std::string(name)};
}

/// Calls `ask` once for each cluster, with the items that concern it as it names them, and where they stood.
template <class Item, class Ask>
Status KafkaLog::each_cluster(std::span<const Item> items, Ask&& ask) {
  struct Part {
    std::vector<Item> items;
    std::vector<std::size_t> places;
  };
  std::map<kafka::Cluster*, Part> parts;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item item = items[i];
    auto place = place_of(name_in(item));
    if (!place) return place.error();
    name_in(item) = std::move(place->name);
    Part& part = parts[place->cluster];
    part.items.push_back(std::move(item));
    part.places.push_back(i);
  }
  for (const auto& [cluster, part] : parts)
    if (Status asked = ask(*cluster, part.items, part.places); !asked) return cluster->told(asked.error());
  return {};
}

/// What each of the clusters answers about its items, in the order of all items.
template <class Answer, class Item, class Ask>
Result<std::vector<Answer>> KafkaLog::ask_each(std::span<const Item> items, const Ask& ask) {
  if (others_.empty()) return ask(admin(), items);
  std::vector<Answer> answers(items.size());
  Status asked = each_cluster(items, [&](kafka::Cluster& cluster, const auto& its, const auto& places) -> Status {
    auto found = ask(cluster.admin(), std::span<const Item>(its));
    if (!found) return found.error();
    for (std::size_t i = 0; i < its.size(); ++i) answers[places[i]] = std::move((*found)[i]);
    return {};
  });
  if (!asked) return asked.error();
  return answers;
}

/// What the cluster of a topic answers: `ask(cluster, name of the topic there)`.
template <class Ask>
auto KafkaLog::ask_there(std::string_view topic, const Ask& ask)
    -> decltype(ask(std::declval<kafka::Cluster&>(), std::string())) {
  const auto place = place_of(topic);
  if (!place) return place.error();
  auto answer = ask(*place->cluster, place->name);
  if (!answer) return place->cluster->told(answer.error());
  return answer;
}

std::vector<std::string> KafkaLog::clusters() const {
  std::vector<std::string> names;
  for (const auto& [name, cluster] : others_) names.push_back(name);
  return names;
}

bool KafkaLog::is_away(std::string_view cluster) const {
  const auto found = others_.find(cluster);
  return found != others_.end() && found->second->is_away();
}

Status KafkaLog::create_topic(const std::string& name, const TopicConfig& config) {
  const NewTopic one{name, config};
  return create_topics({&one, 1});
}
Status KafkaLog::create_topics(std::span<const NewTopic> topics) {
  return each_cluster(topics, [](kafka::Cluster& cluster, const std::vector<NewTopic>& its, const auto&) {
    Status created = cluster.admin().create(its);
    cluster.topics_changed();
    return created;
  });
}
Result<std::vector<int>> KafkaLog::partition_counts(std::span<const std::string> topics) {
  return ask_each<int>(topics, [](kafka::Admin& admin, auto its) { return admin.partition_counts(its); });
}
Result<std::vector<TopicDescription>> KafkaLog::list_topics() {
  return admin().list();
}
Result<std::optional<TopicDescription>> KafkaLog::describe_topic(const std::string& topic) {
  auto found =
      ask_there(topic, [](kafka::Cluster& cluster, const auto& name) { return cluster.admin().describe(name); });
  if (found && *found) (*found)->name = topic;
  return found;
}
Status KafkaLog::delete_topic(const std::string& topic) {
  return ask_there(topic, [](kafka::Cluster& cluster, const auto& name) {
    cluster.forget(name);
    Status removed = cluster.admin().remove(name);
    cluster.topics_changed();
    return removed;
  });
}
Status KafkaLog::truncate_before(const TopicPartition& partition, std::int64_t offset) {
  const Truncation one{partition, offset};
  return truncate_all({&one, 1});
}
// Only internal topics are truncated, and those lie in the cluster with the progress. A topic that is gone holds up the
// others that are asked for with it.
Status KafkaLog::truncate_all(std::span<const Truncation> truncations) {
  Status done = admin().truncate(truncations);
  return done || truncations.size() < 2 || done.error().retriable() ? done : Log::truncate_all(truncations);
}
Result<Log::Bounds> KafkaLog::bounds(const TopicPartition& partition, bool committed) {
  return ask_there(partition.topic, [&](kafka::Cluster& cluster, const auto& name) {
    return cluster.admin().bounds({name, partition.partition}, committed);
  });
}
Result<std::vector<Log::Bounds>> KafkaLog::bounds_of(std::span<const TopicPartition> partitions, bool committed) {
  return ask_each<Bounds>(partitions, [&](kafka::Admin& admin, auto its) { return admin.bounds_of(its, committed); });
}
Result<std::string> KafkaLog::cluster_id() {
  return admin().cluster_id();
}
void KafkaLog::end_within(std::chrono::milliseconds wait) {
  ending()->within(wait);
  for (const auto& [name, cluster] : others_) cluster->ending()->within(wait);
}

Result<std::unique_ptr<Reader>> KafkaLog::reader(const std::string& client_id) {
  return KafkaReader::make(*this, client_id, KafkaReader::Purpose::follow);
}
Result<std::unique_ptr<Reader>> KafkaLog::reader_to_end(const std::string& client_id) {
  return KafkaReader::make(*this, client_id, KafkaReader::Purpose::to_end);
}

Result<std::unique_ptr<Writer>> KafkaLog::writer(const std::string& transactional_id, Membership* membership) {
  const std::size_t at = transactional_id.rfind('@');  // no name of a service, a process or a cluster has one
  const auto other = at == std::string::npos ? others_.end() : others_.find(transactional_id.substr(at + 1));
  if (other != others_.end()) {
    auto writer = KafkaWriter::make(*other->second, transactional_id, nullptr);
    if (!writer) return other->second->told(writer.error());
    return std::unique_ptr<Writer>(std::move(*writer));
  }
  std::shared_ptr<kafka::GroupFence> fence;
  if (membership != nullptr) {
    auto* member = dynamic_cast<KafkaMembership*>(membership);
    if (member == nullptr) return Error{Fault::bug, "the membership is not one of this log"};
    fence = member->fence();
  }
  auto writer = KafkaWriter::make(*home_, transactional_id, std::move(fence));
  if (!writer) return writer.error();
  if (others_.empty()) return std::unique_ptr<Writer>(std::move(*writer));
  return std::unique_ptr<Writer>(std::make_unique<JointWriter>(*this, transactional_id, std::move(*writer)));
}

Result<std::unique_ptr<Membership>> KafkaLog::membership(const std::string& group, const std::string& slots_topic,
                                                         const std::string& advertised) {
  const auto slots = admin().partition_count(slots_topic);
  if (!slots) return slots.error();
  return std::make_unique<KafkaMembership>(*this, group, slots_topic, *slots, advertised);
}

Result<std::int64_t> KafkaLog::append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, RecordTime timestamp,
                                          std::span<const HeaderView> headers) {
  return ask_there(partition.topic, [&](kafka::Cluster& cluster, const auto& name) {
    return cluster.append_now({name, partition.partition}, key, value, timestamp, headers);
  });
}

namespace {

Result<std::unique_ptr<kafka::Cluster>> open_other(const std::string& name, const KafkaOptions& home,
                                                   const KafkaOptions::Properties& properties) {
  KafkaOptions options{.brokers = {}, .properties = {}, .commit_interval = home.commit_interval};
  for (const auto& [property, value] : properties) {
    if (property == "bootstrap.servers")
      options.brokers = value;
    else
      options.properties.emplace_back(property, value);
  }
  if (options.brokers.empty())
    return user_error("Kafka cluster '{0}' needs millrace.cluster.{0}.bootstrap.servers", name);
  auto made = kafka::Cluster::make(name, std::move(options));
  if (!made) return user_error("Kafka cluster '{}': {}", name, made.error().message);
  return made;
}

Result<std::unique_ptr<KafkaLog>> make_log(const KafkaOptions& options) {
  auto home = kafka::Cluster::make({}, options);
  if (!home) return home.error();
  KafkaLog::Others others;
  for (const auto& [name, properties] : options.clusters) {
    auto other = open_other(name, options, properties);
    if (!other) return other.error();
    others.emplace(name, std::move(*other));
  }
  return std::make_unique<KafkaLog>(std::move(*home), std::move(others));
}

}  // namespace

Status check_kafka_options(const KafkaOptions& options) {
  auto made = make_log(options);
  return made ? Status() : made.error();
}

Result<std::unique_ptr<Log>> open_kafka_log(const KafkaOptions& options, std::chrono::milliseconds wait) {
  auto made = make_log(options);
  if (!made) return made.error();
  if (Status connected = (*made)->admin().connect(wait); !connected) return connected.error();
  return std::unique_ptr<Log>(std::move(*made));
}

}  // namespace millrace::inline exec
