#include "exec/log/kafka/admin.h"

#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <thread>
#include <unordered_map>

#include "parser/error/freed_by.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

namespace {

using namespace std::chrono_literals;

constexpr auto kRequestTimeout = 15s;
constexpr auto kLookUpTimeout = 5s;  // of what workers ask; they ask again
constexpr auto kPropagation = 15s;   // from a change until every answer knows it
constexpr auto kPollInterval = 5ms;
constexpr auto kConnectAgain = 50ms;
constexpr auto kTry = 1s;                    // of a longer wait, after which it is seen whether to go on
constexpr std::size_t kBatchOverhead = 128;  // what a batch of one record has beside its key and value

// A log that is read from its start again and again, and whose records replace each other: compaction only looks at
// closed segments, and waits until half of a log is out of date unless it is told not to.
constexpr std::array<std::pair<const char*, const char*>, 4> kShortSegments{
    {{"segment.bytes", "16777216"},
     {"segment.ms", "600000"},
     {"min.cleanable.dirty.ratio", "0.1"},
     {"delete.retention.ms", "86400000"}}};  // whoever has been away for half of it reads all (Restorer)

using QueuePtr = std::unique_ptr<rd_kafka_queue_t, FreedBy<rd_kafka_queue_destroy>>;
using EventPtr = std::unique_ptr<rd_kafka_event_t, FreedBy<rd_kafka_event_destroy>>;
using OptionsPtr = std::unique_ptr<rd_kafka_AdminOptions_t, FreedBy<rd_kafka_AdminOptions_destroy>>;
using NewTopicPtr = std::unique_ptr<rd_kafka_NewTopic_t, FreedBy<rd_kafka_NewTopic_destroy>>;
using DeleteTopicPtr = std::unique_ptr<rd_kafka_DeleteTopic_t, FreedBy<rd_kafka_DeleteTopic_destroy>>;
using DeleteRecordsPtr = std::unique_ptr<rd_kafka_DeleteRecords_t, FreedBy<rd_kafka_DeleteRecords_destroy>>;
using PartitionsPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, FreedBy<rd_kafka_topic_partition_list_destroy>>;
using MetadataPtr = std::unique_ptr<const rd_kafka_metadata_t, FreedBy<rd_kafka_metadata_destroy>>;

Error no_answer(std::string_view doing) {
  return external_error("Kafka: {}: no answer", doing);
}

/// How long one try of a longer wait may last.
int try_ms(const Ending& ending, Clock::time_point deadline = Clock::time_point::max()) {
  return std::max(1, std::min(left_ms(deadline), static_cast<int>(ending.bound(kTry).count())));
}

/// What ends the wait for an answer.
struct Patience {
  const Ending& ending;
  const std::atomic<bool>& away;
  bool over() const { return ending.over() || away.load(std::memory_order_relaxed); }
};

/// Sends one admin request with `start(options, queue)` and waits for its event.
template <class Start>
Result<EventPtr> request(rd_kafka_t* client, rd_kafka_admin_op_t op, std::string_view doing, const Patience& patience,
                         Start&& start) {
  if (patience.over()) return no_answer(doing);
  const QueuePtr queue(rd_kafka_queue_new(client));
  const OptionsPtr options(rd_kafka_AdminOptions_new(client, op));
  std::array<char, 256> text{};
  constexpr int kTimeoutMs = std::chrono::milliseconds(kRequestTimeout).count();
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kTimeoutMs, text.data(), text.size());
  start(options.get(), queue.get());
  const auto deadline = Clock::now() + std::chrono::milliseconds(kTimeoutMs + 5000);
  EventPtr event;
  while (!event) {
    if (Clock::now() >= deadline || patience.over()) return no_answer(doing);
    event.reset(rd_kafka_queue_poll(queue.get(), try_ms(patience.ending, deadline)));
  }
  if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return error_of(code, doing, rd_kafka_event_error_string(event.get()));
  return event;
}

Status first_error(const rd_kafka_topic_result_t* const* results, std::size_t count, std::string_view doing) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, doing, text ? text : "");
  }
  return {};
}

void set_config(rd_kafka_NewTopic_t* topic, const TopicConfig& config) {
  const char* policy = config.compact_and_delete ? "compact,delete" : config.compacted ? "compact" : "delete";
  rd_kafka_NewTopic_set_config(topic, "cleanup.policy", policy);
  if (config.retention_ms)
    rd_kafka_NewTopic_set_config(topic, "retention.ms", std::to_string(*config.retention_ms).c_str());
  if (config.retention_ms == -1) rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");  // whatever the broker's
  if (config.min_insync_replicas)
    rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", std::to_string(*config.min_insync_replicas).c_str());
  if (config.short_segments)
    for (const auto& [name, value] : kShortSegments) rd_kafka_NewTopic_set_config(topic, name, value);
}

void read_config(std::string_view name, std::string_view value, bool own, TopicConfig& config) {
  if (name == "cleanup.policy") {
    const bool compact = value.find("compact") != std::string_view::npos;
    config.compact_and_delete = compact && value.find("delete") != std::string_view::npos;
    config.compacted = compact && !config.compact_and_delete;
  }
  if (name == "min.insync.replicas" && own) config.min_insync_replicas = std::atoi(std::string(value).c_str());
  if (name == "retention.ms" && own) config.retention_ms = std::strtoll(std::string(value).c_str(), nullptr, 10);
}

TopicDescription shape_of(const rd_kafka_metadata_topic& topic) {
  TopicDescription description{topic.topic, {}};
  description.config.partitions = topic.partition_cnt;
  description.config.replicas = topic.partition_cnt > 0 ? topic.partitions[0].replica_cnt : 0;
  return description;
}

/// What asking a broker comes to that does not lead the partition any more.
bool is_of_leader(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;
}

/// The first offset of a partition, or one past the last. Not by rd_kafka_query_watermark_offsets: once that knows the
/// leader it waits for its answer for a minute, whatever it is told.
///
/// A client goes on believing what it once heard of a topic that has been made anew since, or whose leader is another
/// one now, for minutes: after such an answer, or none because the leader is gone, the next question finds it.
rd_kafka_resp_err_t ask_offset(rd_kafka_t* client, const TopicPartition& partition, std::int64_t which, int wait_ms,
                               std::int64_t& offset) {
  const PartitionsPtr list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* const asked =
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  asked->offset = which;
  auto code = rd_kafka_offsets_for_times(client, list.get(), wait_ms);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = asked->err;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && asked->offset < 0) code = RD_KAFKA_RESP_ERR__FAIL;
  offset = asked->offset;
  if (is_unknown(code) || is_of_leader(code))
    if (auto topic = open_topic(client, partition.topic))
      static_cast<void>(refresh_topic(client, topic->get(), wait_ms));
  return code;
}

/// Has the client ask anew who leads these partitions.
void find_leaders(rd_kafka_t* client, std::span<const TopicPartition> partitions, int wait_ms) {
  std::map<std::string_view, TopicPtr> topics;  // it asks for those that it holds
  for (const auto& [topic, partition] : partitions)
    if (!topics.contains(topic))
      if (auto opened = open_topic(client, topic)) topics.emplace(topic, std::move(*opened));
  const rd_kafka_metadata_t* answer = nullptr;
  if (rd_kafka_metadata(client, 0, nullptr, &answer, wait_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
    rd_kafka_metadata_destroy(answer);
}

/// The first offset, or one past the last, of each partition; -1 where that did not come, empty when nothing did.
std::vector<std::int64_t> ask_offsets(rd_kafka_t* client, std::span<const TopicPartition> partitions,
                                      std::int64_t which, const Ending& ending) {
  PartitionsPtr list;
  const auto ask = [&] {
    list.reset(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
    for (const auto& [topic, partition] : partitions)
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = which;
    return rd_kafka_offsets_for_times(client, list.get(), try_ms(ending));
  };
  auto code = ask();
  if (is_of_leader(code)) {
    find_leaders(client, partitions, try_ms(ending));
    code = ask();
  }
  std::vector<std::int64_t> offsets;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return offsets;
  for (const auto& [topic, partition] : partitions) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), topic.c_str(), partition);
    offsets.push_back(found == nullptr || found->err != RD_KAFKA_RESP_ERR_NO_ERROR ? -1 : found->offset);
  }
  return offsets;
}

bool has_leaders(const rd_kafka_metadata_topic& topic) {
  return std::all_of(topic.partitions, topic.partitions + topic.partition_cnt,
                     [](const rd_kafka_metadata_partition& partition) { return partition.leader >= 0; });
}

}  // namespace

Result<std::unique_ptr<Admin>> Admin::make(const KafkaOptions& options) {
  auto ending = std::make_shared<Ending>();
  const auto client = [options, ending](const char* isolation) {
    return make_client(options, {.kind = ClientKind::consumer,
                                 .client_id = "millrace-admin",
                                 .ending = ending,
                                 .defaults = {},
                                 .fixed = {{"isolation.level", isolation}}});
  };
  auto uncommitted = client("read_uncommitted");
  if (!uncommitted) return uncommitted.error();
  auto committed = client("read_committed");
  if (!committed) return committed.error();
  return std::unique_ptr<Admin>(new Admin(options, std::move(ending), std::move(*uncommitted), std::move(*committed),
                                          [client] { return client("read_uncommitted"); }));
}

Status Admin::connect_once(std::chrono::milliseconds wait) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(uncommitted_.get(), 0, nullptr, &metadata,
                                      std::max(1, static_cast<int>(ending_->bound(wait).count())));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_metadata_destroy(metadata);
    return {};
  }
  return external_error("no Kafka broker answers at {}: {}", brokers_, rd_kafka_err2str(code));
}

Status Admin::connect(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  for (bool told = false;; told = true) {
    Status answer = connect_once(std::chrono::milliseconds(try_ms(*ending_, deadline)));
    // A refused connection is told at once.
    if (answer || Clock::now() + kConnectAgain >= deadline) return answer;
    if (!told)
      spdlog::warn("no Kafka broker answers at {} yet: trying for {} s", brokers_,
                   std::chrono::ceil<std::chrono::seconds>(wait).count());
    std::this_thread::sleep_for(kConnectAgain);
  }
}

/// Absent: no such topic. `settled`: every partition has a leader.
Result<std::optional<TopicDescription>> Admin::shape(const std::string& name, bool* settled) {
  const std::string doing = fmt::format("look up topic '{}'", name);
  auto topic = open_topic(uncommitted_.get(), name);
  if (!topic) return std::optional<TopicDescription>{};  // not even a valid name
  const auto deadline = Clock::now() + kLookUpTimeout;
  while (true) {
    const rd_kafka_metadata_t* answer = nullptr;
    const auto code = rd_kafka_metadata(uncommitted_.get(), 0, topic->get(), &answer, try_ms(*ending_, deadline));
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT && Clock::now() < deadline && !gives_up()) continue;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, doing);
    const MetadataPtr metadata(answer);
    if (metadata->topic_cnt == 0) return std::optional<TopicDescription>{};
    const rd_kafka_metadata_topic& found = metadata->topics[0];
    if (is_unknown(found.err)) return std::optional<TopicDescription>{};
    if (found.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (settled) *settled = has_leaders(found);
      return std::optional<TopicDescription>{shape_of(found)};
    }
    if (found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || Clock::now() >= deadline || gives_up())
      return error_of(found.err, doing);
    std::this_thread::sleep_for(kPollInterval);
  }
}

bool Admin::made_lately(const std::string& name) {
  const MutexLock lock(made_mutex_);
  const auto made = made_.find(name);
  return made != made_.end() && Clock::now() - made->second < kPropagation;
}

void Admin::remember(const std::string& name) {
  const MutexLock lock(made_mutex_);
  std::erase_if(made_, [](const auto& made) { return Clock::now() - made.second > kPropagation; });
  made_[name] = Clock::now();
}

Status Admin::create(std::span<const Log::NewTopic> topics) {
  const std::string doing = topics.size() == 1 ? fmt::format("create topic '{}'", topics.front().first)
                                               : fmt::format("create {} topics", topics.size());
  std::vector<NewTopicPtr> owned;
  std::vector<rd_kafka_NewTopic_t*> asked;
  for (const auto& [name, config] : topics) {
    std::array<char, 256> text{};
    owned.emplace_back(
        rd_kafka_NewTopic_new(name.c_str(), config.partitions, config.replicas, text.data(), text.size()));
    if (!owned.back()) return user_error("Kafka: create topic '{}': {}", name, text.data());
    set_config(owned.back().get(), config);
    asked.push_back(owned.back().get());
  }
  const auto event = request(uncommitted_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, doing, {*ending_, away_},
                             [&](auto* options, auto* queue) {
                               rd_kafka_CreateTopics(uncommitted_.get(), asked.data(), asked.size(), options, queue);
                             });
  if (!event) return event.error();
  std::size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  // Somebody else was quicker, and not every broker has heard of it.
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const std::string name = rd_kafka_topic_result_name(results[i]);
    remember(name);
    const auto shown = known_shape(name);
    if (!shown) return shown.error();
    if (!*shown) return external_error("Kafka: {}: '{}' is there, and no broker shows it yet", doing, name);
  }
  if (Status created = first_error(results, count, doing); !created) return created;
  return wait_until_settled(topics, doing);
}

Status Admin::wait_until_settled(std::span<const Log::NewTopic> topics, std::string_view doing) {
  std::vector<std::string> left;
  std::vector<int> partitions;
  for (const auto& [name, config] : topics) {
    left.push_back(name);
    partitions.push_back(config.partitions);
  }
  const auto deadline = Clock::now() + kPropagation;
  while (Clock::now() < deadline && !gives_up()) {
    const auto found = sizes(left);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i] && found[i]->settled && found[i]->partitions == partitions[i]) {
        remember(left[i]);
        continue;
      }
      if (kept < i) left[kept] = std::move(left[i]);
      partitions[kept++] = partitions[i];
    }
    left.resize(kept);
    partitions.resize(kept);
    if (left.empty()) return {};
    std::this_thread::sleep_for(kPollInterval);
  }
  return external_error("Kafka: {}: its partitions have no leaders yet", doing);
}

/// What one round trip tells of these topics; absent where that is nothing. 0 partitions: there is no such topic.
std::vector<std::optional<Admin::Size>> Admin::sizes(std::span<const std::string> topics) {
  std::vector<std::optional<Size>> sizes(topics.size());
  if (topics.size() == 1) {
    bool settled = false;
    if (const auto found = shape(topics.front(), &settled))
      sizes.front() = *found ? Size{(*found)->config.partitions, settled} : Size{};
    return sizes;
  }
  // What a client holds is what it asks about when it is not told which.
  std::vector<TopicPtr> held;
  std::unordered_map<std::string_view, std::size_t> wanted;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    auto topic = open_topic(uncommitted_.get(), topics[i]);
    if (!topic) continue;
    held.push_back(std::move(*topic));
    wanted.emplace(topics[i], i);
  }
  if (held.empty()) return sizes;
  const rd_kafka_metadata_t* answer = nullptr;
  if (rd_kafka_metadata(uncommitted_.get(), 0, nullptr, &answer, try_ms(*ending_)) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return sizes;
  const MetadataPtr metadata(answer);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& found = metadata->topics[i];
    const auto at = wanted.find(found.topic);
    if (at == wanted.end()) continue;
    if (is_unknown(found.err)) sizes[at->second] = Size{};
    if (found.err == RD_KAFKA_RESP_ERR_NO_ERROR) sizes[at->second] = Size{found.partition_cnt, has_leaders(found)};
  }
  return sizes;
}

Status Admin::remove(const std::string& name) {
  {
    const MutexLock lock(made_mutex_);
    made_.erase(name);
  }
  const std::string doing = fmt::format("delete topic '{}'", name);
  const DeleteTopicPtr topic(rd_kafka_DeleteTopic_new(name.c_str()));
  rd_kafka_DeleteTopic_t* topics[] = {topic.get()};
  const auto event = request(
      uncommitted_.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, doing, {*ending_, away_},
      [&](auto* options, auto* queue) { rd_kafka_DeleteTopics(uncommitted_.get(), topics, 1, options, queue); });
  if (!event) return event.error();
  std::size_t count = 0;
  const auto* results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event->get()), &count);
  if (Status removed = first_error(results, count, doing); !removed) return removed;
  const auto deadline = Clock::now() + kPropagation;
  while (Clock::now() < deadline && !gives_up()) {
    const auto found = shape(name);
    if (found && !*found) return {};
    std::this_thread::sleep_for(kPollInterval);
  }
  return external_error("Kafka: {}: still there", doing);
}

Status Admin::read_configs(const std::vector<std::string>& topics, const OnConfig& on_config) {
  if (topics.empty()) return {};
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& topic : topics)
    resources.push_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  const auto event =
      request(uncommitted_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describe topics", {*ending_, away_},
              [&](auto* options, auto* queue) {
                rd_kafka_DescribeConfigs(uncommitted_.get(), resources.data(), resources.size(), options, queue);
              });
  rd_kafka_ConfigResource_destroy_array(resources.data(), resources.size());
  if (!event) return event.error();
  std::size_t count = 0;
  const auto* results =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    // Topics that we may not describe, or that went away meanwhile, keep what metadata says about them.
    if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    std::size_t entry_count = 0;
    const auto* entries = rd_kafka_ConfigResource_configs(results[i], &entry_count);
    for (std::size_t j = 0; j < entry_count; ++j) {
      const char* value = rd_kafka_ConfigEntry_value(entries[j]);
      const bool own = rd_kafka_ConfigEntry_source(entries[j]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
      on_config(rd_kafka_ConfigResource_name(results[i]), rd_kafka_ConfigEntry_name(entries[j]),
                value != nullptr ? value : "", own);
    }
  }
  return {};
}

Status Admin::add_configs(std::vector<TopicDescription>& topics) {
  std::vector<std::string> names;
  std::unordered_map<std::string_view, TopicConfig*> by_name;
  for (TopicDescription& topic : topics) {
    names.push_back(topic.name);
    by_name[topic.name] = &topic.config;
  }
  return read_configs(names, [&](const std::string& topic, std::string_view name, std::string_view value, bool own) {
    const auto found = by_name.find(topic);
    if (found != by_name.end()) read_config(name, value, own, *found->second);
  });
}

bool Admin::compresses(const KafkaOptions& options) {
  return std::any_of(options.properties.begin(), options.properties.end(), [](const auto& property) {
    return property.first.starts_with("compression.") && property.second != "none";
  });
}

std::size_t Admin::largest_record(const std::string& topic) {
  std::size_t largest = std::numeric_limits<std::size_t>::max();
  if (compresses_) return largest;  // the limit is of what arrives
  static_cast<void>(read_configs({topic}, [&](const std::string&, std::string_view name, std::string_view value, bool) {
                      if (name != "max.message.bytes") return;
                      const auto bytes = std::strtoull(std::string(value).c_str(), nullptr, 10);
                      if (bytes > kBatchOverhead) largest = bytes - kBatchOverhead;
                    }).has_value());
  return largest;
}

Result<std::vector<TopicDescription>> Admin::list() {
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code = rd_kafka_metadata(uncommitted_.get(), 1, nullptr, &answer,
                                      static_cast<int>(ending_->bound(kRequestTimeout).count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, "list topics");
  const MetadataPtr metadata(answer);
  std::vector<TopicDescription> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i)
    if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) topics.push_back(shape_of(metadata->topics[i]));
  if (Status added = add_configs(topics); !added) return added.error();
  return topics;
}

Result<std::optional<TopicDescription>> Admin::describe(const std::string& name) {
  auto found = known_shape(name);
  if (!found || !*found) return found;
  std::vector<TopicDescription> one{std::move(**found)};
  if (Status added = add_configs(one); !added) return added.error();
  return std::optional<TopicDescription>{std::move(one.front())};
}

Result<int> Admin::partition_count(const std::string& name) {
  auto found = known_shape(name);
  if (!found) return found.error();
  if (!*found) return user_error("topic '{}' does not exist", name);
  return (*found)->config.partitions;
}

Result<std::vector<int>> Admin::partition_counts(std::span<const std::string> topics) {
  std::vector<int> counts;
  const auto found = topics.size() > 1 ? sizes(topics) : std::vector<std::optional<Size>>(topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (found[i] && (found[i]->partitions > 0 || !made_lately(topics[i]))) {
      counts.push_back(found[i]->partitions);
      continue;
    }
    const auto one = known_shape(topics[i]);
    if (!one) return one.error();
    counts.push_back(*one ? (*one)->config.partitions : 0);
  }
  return counts;
}

// Of a topic that was made just now the brokers hear one after another.
Result<std::optional<TopicDescription>> Admin::known_shape(const std::string& name) {
  auto found = shape(name);
  while (found && !*found && made_lately(name) && !gives_up()) {
    std::this_thread::sleep_for(kPollInterval);
    found = shape(name);
  }
  return found;
}

Status Admin::truncate(std::span<const Log::Truncation> truncations) {
  if (truncations.empty()) return {};
  const PartitionsPtr list(rd_kafka_topic_partition_list_new(static_cast<int>(truncations.size())));
  for (const auto& [partition, offset] : truncations)
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset = offset;
  const DeleteRecordsPtr records(rd_kafka_DeleteRecords_new(list.get()));
  rd_kafka_DeleteRecords_t* requests[] = {records.get()};
  const auto& first = truncations.front().first;
  const auto event = request(
      uncommitted_.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS,
      fmt::format("truncate topic '{}' partition {}", first.topic, first.partition), {*ending_, away_},
      [&](auto* options, auto* queue) { rd_kafka_DeleteRecords(uncommitted_.get(), requests, 1, options, queue); });
  if (!event) return event.error();
  const auto* results = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event->get()));
  for (int i = 0; i < results->cnt; ++i)
    if (const auto& one = results->elems[i]; one.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return error_of(one.err, fmt::format("truncate topic '{}' partition {}", one.topic, one.partition));
  return {};
}

Result<Log::Bounds> Admin::bounds(const TopicPartition& partition, bool committed) {
  const auto known = partition_count(partition.topic);
  if (!known) return known.error();
  if (partition.partition < 0 || partition.partition >= *known)
    return user_error("topic '{}' has no partition {}", partition.topic, partition.partition);
  rd_kafka_t* client = committed ? committed_.get() : uncommitted_.get();
  const auto deadline = Clock::now() + kLookUpTimeout;
  while (true) {
    Log::Bounds bounds;
    auto code = ask_offset(client, partition, RD_KAFKA_OFFSET_BEGINNING, try_ms(*ending_, deadline), bounds.begin);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
      code = ask_offset(client, partition, RD_KAFKA_OFFSET_END, try_ms(*ending_, deadline), bounds.end);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return bounds;
    // A topic that metadata knows may need a moment on its leader, and a leader may move.
    if (Clock::now() >= deadline || gives_up())
      return external_error("Kafka: ask for the offsets of topic '{}' partition {}: {}", partition.topic,
                            partition.partition, rd_kafka_err2str(code));
    std::this_thread::sleep_for(kPollInterval);
  }
}

Result<std::vector<Log::Bounds>> Admin::bounds_of(std::span<const TopicPartition> partitions, bool committed) {
  rd_kafka_t* client = committed ? committed_.get() : uncommitted_.get();
  std::vector<std::int64_t> begins, ends;
  if (partitions.size() > 1) {
    begins = ask_offsets(client, partitions, RD_KAFKA_OFFSET_BEGINNING, *ending_);
    ends = ask_offsets(client, partitions, RD_KAFKA_OFFSET_END, *ending_);
  }
  std::vector<Log::Bounds> all;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    if (i < begins.size() && i < ends.size() && begins[i] >= 0 && ends[i] >= 0) {
      all.push_back({begins[i], ends[i]});
      continue;
    }
    const auto one = bounds(partitions[i], committed);
    if (!one) return one.error();
    all.push_back(*one);
  }
  return all;
}

Result<std::int64_t> Admin::committed_end(const TopicPartition& partition, std::chrono::milliseconds wait) {
  std::int64_t end = 0;
  const auto code =
      ask_offset(committed_.get(), partition, RD_KAFKA_OFFSET_END, static_cast<int>(ending_->bound(wait).count()), end);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return end;
  return error_of(code,
                  fmt::format("ask for the end of topic '{}' partition {}", partition.topic, partition.partition));
}

std::vector<std::optional<std::int64_t>> Admin::committed_ends(std::span<const TopicPartition> partitions) {
  std::vector<std::optional<std::int64_t>> ends(partitions.size());
  const auto asked = ask_offsets(committed_.get(), partitions, RD_KAFKA_OFFSET_END, *ending_);
  for (std::size_t i = 0; i < asked.size(); ++i)
    if (asked[i] >= 0) ends[i] = asked[i];
  return ends;
}

Result<std::string> Admin::cluster_id() {
  char* id = rd_kafka_clusterid(uncommitted_.get(), static_cast<int>(ending_->bound(kRequestTimeout).count()));
  if (id == nullptr) return external_error("Kafka: the cluster has not told its id");
  std::string text(id);
  rd_kafka_mem_free(uncommitted_.get(), id);
  return text;
}

Result<std::vector<GroupMember>> Admin::group(const std::string& name, const std::string& topic) {
  return groups_.members(name, topic, *ending_);
}

}  // namespace millrace::inline exec::kafka
