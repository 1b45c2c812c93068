#include "exec/log/local/log.h"

#include <pthread.h>

#include "exec/log/failpoint.h"
#include "exec/log/local/membership.h"
#include "exec/log/local/reader.h"
#include "exec/log/local/writer.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

constexpr int kMaxPartitions = 100'000;
constexpr std::string_view kMemoryClusterId = "millrace-memory-log";

Status check_topic(const std::string& name, const TopicConfig& config) {
  if (name.empty()) return user_error("a topic needs a name");
  if (config.partitions < 1 || config.partitions > kMaxPartitions)
    return user_error("topic '{}': {} is not a possible number of partitions", name, config.partitions);
  if (config.replicas != 1 && config.replicas != -1)
    return user_error("topic '{}': {} replicas asked for, but this log has one process only", name, config.replicas);
  return {};
}

}  // namespace

Result<std::unique_ptr<LocalLog>> LocalLog::open(std::unique_ptr<LocalStorage> storage, Options options) {
  std::unique_ptr<LocalLog> log(new LocalLog(std::move(storage), options));
  if (Status loaded = log->load_topics(); !loaded) return loaded.error();
  if (log->storage_)
    log->committer_ = std::thread([raw = log.get()] {
      pthread_setname_np(pthread_self(), "log");
      raw->commit_loop();
    });
  return log;
}

LocalLog::LocalLog(std::unique_ptr<LocalStorage> storage, Options options)
    : storage_(std::move(storage)), options_(options) {}

LocalLog::~LocalLog() {
  background_.reset();
  if (!committer_.joinable()) return;
  {
    const MutexLock lock(queue_mutex_);
    stopping_ = true;
  }
  queue_filled_.notify_all();
  committer_.join();
}

Status LocalLog::load_topics() {
  if (!storage_) return {};
  const MutexLock lock(mutex_);
  auto stored = storage_->topics();
  if (!stored) return stored.error();
  for (const StoredTopic& topic : *stored) add_topic(topic);
  next_topic_id_ = storage_->next_topic_id();
  return {};
}

void LocalLog::add_topic(const StoredTopic& stored) {
  auto topic = std::make_shared<LocalTopic>();
  topic->stored = stored;
  for (int i = 0; i < stored.config.partitions; ++i)
    topic->partitions.push_back(
        std::make_shared<LocalPartition>(PartitionId{stored.id, i}, TopicPartition{stored.name, i}));
  topics_[stored.name] = std::move(topic);
}

Status LocalLog::create_topic(const std::string& name, const TopicConfig& config) {
  if (Status checked = check_topic(name, config); !checked) return checked;
  const MutexLock commit_lock(commit_mutex_);
  const MutexLock lock(mutex_);
  if (topics_.contains(name)) return user_error("topic '{}' already exists", name);
  StoredTopic stored{next_topic_id_, name, config};
  stored.config.replicas = 1;
  if (storage_) {
    if (Status created = storage_->create(stored); !created) return created;
  }
  ++next_topic_id_;
  add_topic(stored);
  return {};
}

Result<std::vector<TopicDescription>> LocalLog::list_topics() {
  std::vector<TopicDescription> list;
  const MutexLock lock(mutex_);
  for (const auto& [name, topic] : topics_) list.push_back({name, topic->stored.config});
  return list;
}

Result<std::optional<TopicDescription>> LocalLog::describe_topic(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return std::optional<TopicDescription>{};
  return std::optional<TopicDescription>{TopicDescription{name, found->second->stored.config}};
}

Status LocalLog::delete_topic(const std::string& name) {
  const MutexLock commit_lock(commit_mutex_);
  const MutexLock lock(mutex_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return user_error("topic '{}' does not exist", name);
  if (storage_) {
    if (Status erased = storage_->erase(found->second->stored); !erased) return erased;
  }
  for (const LocalPartitionPtr& partition : found->second->partitions) {
    partition->deleted = true;
    for (const RecordBatchPtr& batch : partition->tail) tail_bytes_ -= batch->bytes().size();
    partition->tail.clear();
    for (const auto& listener : partition->listeners) listener.reader->notify(listener.source);
  }
  topics_.erase(found);
  return {};
}

Result<LocalTopicPtr> LocalLog::find_topic(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return user_error("topic '{}' does not exist", name);
  for (const LocalPartitionPtr& partition : found->second->partitions)
    if (Status loaded = load(*partition); !loaded) return loaded.error();
  return found->second;
}

Result<LocalPartitionPtr> LocalLog::find_partition(const TopicPartition& name) {
  const MutexLock lock(mutex_);
  const auto found = topics_.find(name.topic);
  if (found == topics_.end()) return user_error("topic '{}' does not exist", name.topic);
  const auto& partitions = found->second->partitions;
  if (name.partition < 0 || static_cast<std::size_t>(name.partition) >= partitions.size())
    return user_error("topic '{}' has no partition {}", name.topic, name.partition);
  const LocalPartitionPtr& partition = partitions[static_cast<std::size_t>(name.partition)];
  if (Status loaded = load(*partition); !loaded) return loaded.error();
  return partition;
}

Status LocalLog::load(LocalPartition& partition) {
  if (partition.loaded) return {};
  if (storage_) {
    const auto bounds = storage_->bounds(partition.id);
    if (!bounds) return bounds.error();
    partition.begin = bounds->begin;
    partition.end = partition.assigned = bounds->end;
  }
  partition.loaded = true;
  return {};
}

Status LocalLog::truncate_before(const TopicPartition& name, std::int64_t offset) {
  auto partition = find_partition(name);
  if (!partition) return partition.error();
  const MutexLock lock(mutex_);
  if (offset > (*partition)->end)
    return user_error("topic '{}' partition {}: cannot truncate before {}, the end is {}", name.topic, name.partition,
                      offset, (*partition)->end);
  advance_begin(**partition, offset);
  return {};
}

void LocalLog::advance_begin(LocalPartition& partition, std::int64_t offset) {
  if (offset <= partition.begin) return;
  partition.begin = offset;
  partition.truncated = true;
  while (!partition.tail.empty() && partition.tail.front()->next_offset() <= offset) {
    tail_bytes_ -= partition.tail.front()->bytes().size();
    partition.tail.pop_front();
  }
}

Result<Log::Bounds> LocalLog::bounds(const TopicPartition& name, bool) {
  auto partition = find_partition(name);
  if (!partition) return partition.error();
  const MutexLock lock(mutex_);
  return Bounds{(*partition)->begin, (*partition)->end};
}

std::size_t LocalLog::held_bytes(std::span<const std::string> topics) {
  std::size_t sum = 0;
  const MutexLock lock(mutex_);
  for (const std::string& name : topics) {
    const auto found = topics_.find(name);
    if (found == topics_.end()) continue;
    for (const LocalPartitionPtr& partition : found->second->partitions)
      for (const RecordBatchPtr& batch : partition->tail) sum += batch->bytes().size();
  }
  return sum;
}

std::vector<LocalTopicPtr> LocalLog::topics() {
  std::vector<LocalTopicPtr> all;
  const MutexLock lock(mutex_);
  for (const auto& [name, topic] : topics_) all.push_back(topic);
  return all;
}

Result<std::unique_ptr<Reader>> LocalLog::reader(const std::string&) {
  return std::unique_ptr<Reader>(std::make_unique<LocalReader>(*this));
}

Result<std::unique_ptr<Writer>> LocalLog::writer(const std::string& transactional_id, Membership*) {
  auto fenced = std::make_shared<std::atomic<bool>>(false);
  {
    // With the commit lock: what the predecessor has under way is in the log before we return, or never will be.
    const MutexLock commit_lock(commit_mutex_);
    const MutexLock lock(mutex_);
    std::erase_if(fences_, [](const auto& fence) { return fence.second.expired(); });  // nothing is left to be fenced
    auto& current = fences_[transactional_id];
    if (const auto predecessor = current.lock()) predecessor->store(true);
    current = fenced;
  }
  return std::unique_ptr<Writer>(std::make_unique<LocalWriter>(*this, transactional_id, std::move(fenced)));
}

Result<std::unique_ptr<Membership>> LocalLog::membership(const std::string& group, const std::string& slots_topic,
                                                         const std::string& advertised) {
  auto topic = find_topic(slots_topic);
  if (!topic) return topic.error();
  const int slots = static_cast<int>((*topic)->partitions.size());
  return std::unique_ptr<Membership>(std::make_unique<LocalMembership>(*this, group, slots, advertised));
}

Result<std::int64_t> LocalLog::append_now(const TopicPartition& name, std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, RecordTime timestamp,
                                          std::span<const HeaderView> headers) {
  if (Status hit = failpoint::hit(failpoint::kLogAppendNow); !hit) return hit.error();
  auto partition = find_partition(name);
  if (!partition) return partition.error();
  RecordBatchBuilder builder;
  builder.append(key, value, timestamp, headers);
  struct Shared {
    Mutex mutex;
    std::condition_variable ended;
    std::optional<Result<std::int64_t>> result GUARDED_BY(mutex);
  };
  auto shared = std::make_shared<Shared>();
  auto transaction = std::make_unique<LocalTransaction>();
  transaction->parts.push_back({*partition, builder.seal()});
  transaction->done = [shared](LocalTransaction& ended, Status status) {
    const MutexLock lock(shared->mutex);
    if (status) {
      shared->result = ended.parts.front().batch->base_offset();
    } else {
      shared->result = status.error();
    }
    shared->ended.notify_one();
  };
  submit(std::move(transaction));
  MutexLock lock(shared->mutex);
  shared->ended.wait(lock, [&]() REQUIRES(shared->mutex) { return shared->result.has_value(); });
  return *shared->result;
}

Status LocalLog::checkpoint(const std::string& directory) {
  if (!storage_) return user_error("a log in memory cannot be copied");
  return storage_->checkpoint(directory);
}

Status LocalLog::sync() {
  return storage_ ? storage_->sync() : Status{};
}

Result<std::string> LocalLog::cluster_id() {
  if (storage_) return storage_->cluster_id();
  return std::string(kMemoryClusterId);
}

}  // namespace millrace::inline exec
