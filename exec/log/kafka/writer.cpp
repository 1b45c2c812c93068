#include "exec/log/kafka/writer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

using namespace std::chrono_literals;

constexpr auto kInitWait = 15s;  // whoever gets no writer asks again
constexpr auto kAbortWait = 30s;
constexpr auto kOtherWait = 5s;  // for another cluster, instead of either
constexpr auto kRoomWait = 60s;  // for librdkafka's queue to take another record
constexpr auto kStopWait = 5s;
constexpr auto kCountAge = 1s;

kafka::ClientSetup setup(const KafkaOptions& options, const std::string& transactional_id) {
  const auto timeout = std::max<std::chrono::milliseconds>(10s, 3 * options.commit_interval);
  return {.kind = kafka::ClientKind::producer,
          .client_id = transactional_id,
          .ending = nullptr,
          // Full batches go at once, and the end of a transaction flushes what is left. librdkafka would spin over
          // records that are older than this while a request is out.
          .defaults = {{"linger.ms", "5000"},
                       {"retry.backoff.ms", "5"},
                       {"batch.size", "400000"},
                       {"queue.buffering.max.messages", "2000000"},
                       {"queue.buffering.max.kbytes", "524288"},
                       // What a topic takes is its own setting, and checked before; librdkafka's is one for all.
                       {"message.max.bytes", "1000000000"},
                       // A topic that was deleted is missed no later.
                       {"topic.metadata.propagation.max.ms", "1000"},
                       {"transaction.timeout.ms", std::to_string(timeout.count())}},
          .fixed = {{"transactional.id", transactional_id}, {"enable.idempotence", "true"}}};
}

}  // namespace

Result<std::unique_ptr<KafkaWriter>> KafkaWriter::make(kafka::Cluster& cluster, const std::string& transactional_id,
                                                       std::shared_ptr<kafka::GroupFence> fence) {
  std::unique_ptr<KafkaWriter> writer(new KafkaWriter(cluster));
  if (Status opened = writer->open(transactional_id, std::move(fence)); !opened) return opened.error();
  return writer;
}

KafkaWriter::KafkaWriter(kafka::Cluster& cluster)
    : cluster_(cluster), abort_wait_(cluster.is_other() ? kOtherWait : kAbortWait) {}

Status KafkaWriter::open(const std::string& transactional_id, std::shared_ptr<kafka::GroupFence> fence) {
  kafka::ClientSetup with = setup(cluster_.options(), transactional_id);
  with.ending = cluster_.ending();
  with.callbacks = [this](rd_kafka_conf_s* conf) { kafka::report_acknowledgements(conf, *this); };
  auto client = kafka::make_client(cluster_.options(), with);
  if (!client) return client.error();
  client_ = std::move(*client);
  transactions_.emplace(client_.get(), std::move(fence), cluster_.ending());
  if (Status ready = transactions_->init(cluster_.is_other() ? kOtherWait : kInitWait); !ready) return ready;
  thread_ = std::thread([this] { run(); });
  return {};
}

void KafkaWriter::operator delete(KafkaWriter* writer, std::destroying_delete_t) {
  const std::shared_ptr<const kafka::Ending> ending = writer->cluster_.ending();
  writer->stop();
  kafka::end_aside(*ending, [writer] {
    writer->end();
    writer->~KafkaWriter();
    ::operator delete(writer);
  });
}

void KafkaWriter::stop() {
  {
    MutexLock lock(mutex_);
    ended_.wait_for(lock, cluster_.ending()->bound(kStopWait),
                    [&]() REQUIRES(mutex_) { return state_.outcome != Outcome::pending && !calling_; });
    stopping_ = true;
    callback_ = nullptr;
  }
  if (transactions_) transactions_->stop();
  bell_.ring();
  work_.notify_all();
}

void KafkaWriter::end() {
  if (thread_.joinable()) thread_.join();
  // Readers wait for the end of what has been written; what cannot be aborted now ends by the log's timeout.
  if (sent_ || must_reopen_) static_cast<void>(transactions_->abort(0ms).has_value());
  // Records that are still out end now, and tell us.
  topics_.each([](Topic& topic) { topic.handle.reset(); });
  if (client_) kafka::destroy(client_.release());
}

void KafkaWriter::ended(void* lane, std::int64_t offset, int code) {
  static_cast<kafka::Lane*>(lane)->acknowledged(offset, code);
}

void KafkaWriter::failed(const char* topic, std::int32_t partition, int code) {
  if (!kafka::is_refusal(code)) return;
  const MutexLock lock(mutex_);
  const TopicPartition where{topic, partition};
  if (std::find(refused_.begin(), refused_.end(), where) != refused_.end()) return;
  if (!refusal_) {
    refusal_ = kafka::error_of(code, fmt::format("append to topic '{}' partition {}", topic, partition));
    refusal_->fault = Fault::user;
  }
  refused_.push_back(where);
}

Result<TopicHandle> KafkaWriter::topic(const std::string& name, bool track) {
  auto handle = topics_.handle(name);
  if (!handle) {
    const std::uint64_t version = cluster_.topics_version();
    const auto partitions = cluster_.admin().partition_count(name);
    if (!partitions) return partitions.error();
    auto opened = kafka::open_topic(client_.get(), name);
    if (!opened) return opened.error();
    handle = topics_.add(name, {name,
                                std::move(*opened),
                                std::vector<std::unique_ptr<kafka::Lane>>(static_cast<std::size_t>(*partitions)),
                                {},
                                false,
                                cluster_.admin().largest_record(name),
                                {},
                                Clock::now(),
                                version});
  }
  Topic& found = *topics_.find(*handle);
  found.track = found.track || track;
  found.wanted = Clock::now();
  return *handle;
}

std::size_t KafkaWriter::forget_topics(Clock::time_point before) {
  const bool under_way = committing_.load(std::memory_order_acquire);  // `closed_` is the other thread's then
  const auto has = [](const std::vector<Touched>& lanes, TopicHandle topic) {
    return std::ranges::any_of(lanes, [&](const Touched& touched) { return touched.topic == topic; });
  };
  return topics_.forget([&](TopicHandle handle, const Topic& topic) {
    return !under_way && topic.wanted < before && !has(open_, handle) && !has(closed_, handle);
  });
}

// A topic may have got partitions, or been made anew with fewer.
Status KafkaWriter::refresh(TopicHandle handle) {
  Topic* known = topics_.find(handle);
  if (known == nullptr) return forgotten_topic();
  Topic& topic = *known;
  const auto now = Clock::now();
  const std::uint64_t version = cluster_.topics_version();
  if (version == topic.version && now - topic.asked < kCountAge) return {};
  const auto partitions = cluster_.admin().partition_count(topic.name);
  if (!partitions) return partitions.error();
  const auto count = static_cast<std::size_t>(*partitions);
  if (count != topic.lanes.size()) {
    if (Status refreshed = kafka::refresh_topic(client_.get(), topic.handle.get()); !refreshed) return refreshed;
    for (std::size_t lost = count; lost < topic.lanes.size(); ++lost)
      if (topic.lanes[lost]) topic.surplus.push_back(std::move(topic.lanes[lost]));
    topic.lanes.resize(count);
  }
  topic.asked = now;
  topic.version = version;
  return {};
}

std::int32_t KafkaWriter::partitions(TopicHandle topic) const {
  const Topic* found = topics_.find(topic);
  return found == nullptr ? 0 : static_cast<std::int32_t>(found->lanes.size());
}

Status KafkaWriter::append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                           std::optional<std::string_view> value, RecordTime timestamp,
                           std::span<const HeaderView> headers) {
  Topic* known = topics_.find(topic);
  if (known == nullptr) [[unlikely]]
    return forgotten_topic();
  Topic& target = *known;
  if (static_cast<std::size_t>(partition) >= target.lanes.size()) [[unlikely]]
    return Error{Fault::bug, fmt::format("topic '{}' has no partition {}", target.name, partition)};
  if (timestamp < RecordTime{0}) [[unlikely]]
    return user_error("topic '{}': Kafka takes no timestamp before 1970 ({} ms)", target.name, ms_of(timestamp));
  const std::size_t bytes = (key ? key->size() : 0) + (value ? value->size() : 0);
  if (bytes > target.largest_record) [[unlikely]]
    target.largest_record = cluster_.admin().largest_record(target.name);  // somebody may have raised it
  if (bytes > target.largest_record) [[unlikely]]
    return user_error("topic '{}' partition {} takes records of up to {} bytes (max.message.bytes); this one has {}",
                      target.name, partition, target.largest_record, bytes);
  std::unique_ptr<kafka::Lane>& place = target.lanes[static_cast<std::size_t>(partition)];
  if (place == nullptr) [[unlikely]]
    place = std::make_unique<kafka::Lane>(target.handle.get(), partition, pool_, bell_);
  kafka::Lane* const lane = place.get();
  if (!lane->touched) [[unlikely]] {
    if (open_.empty()) grant_ = transactions_->grant();
    lane->touched = true;
    open_.push_back({topic, partition, target.track, lane});
  }
  pending_bytes_ += bytes + sizeof timestamp;
  const bool full = lane->add({key, value, timestamp, headers});
  if (!full || committing_.load(std::memory_order_acquire)) [[likely]]
    return {};
  if (Status open = reopen(); !open) return open;
  sent_ = true;
  return send(*lane, [&](kafka::Lane& some) { return some.send_full(client_.get()); });
}

template <class Some>
Status KafkaWriter::send(kafka::Lane& lane, Some&& some) {
  int code = some(lane);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) [[unlikely]] {
    const auto deadline = Clock::now() + kRoomWait;
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && Clock::now() < deadline && !transactions_->stopped()) {
      std::this_thread::sleep_for(1ms);
      code = some(lane);
    }
  }
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]]
    return {};
  failed(lane.topic(), lane.partition(), code);
  return kafka::error_of(code, "append to " + lane.name());
}

/// All of the transaction that ends; on the writer's thread.
Status KafkaWriter::send_all() {
  while (true) {
    const std::uint32_t heard = bell_.rings.load(std::memory_order_acquire);
    bool rest = false;
    for (const Touched& touched : closed_) {
      if (touched.lane->sent_all()) continue;
      const Status sent = send(*touched.lane, [&](kafka::Lane& some) { return some.send_closed(client_.get()); });
      if (!sent) return sent;
      rest = rest || !touched.lane->sent_all();
    }
    if (!rest) return {};
    if (transactions_->stopped()) return external_error("Kafka: stopped before a transaction was sent");
    bell_.rings.wait(heard, std::memory_order_acquire);
  }
}

Status KafkaWriter::reopen() {
  if (!must_reopen_) return {};
  if (Status aborted = transactions_->abort(abort_wait_); !aborted) {
    const MutexLock lock(mutex_);
    if (aborted.error().fault == Fault::fenced) dead_ = aborted.error();
    return aborted;
  }
  must_reopen_ = false;
  lanes_ended();
  return {};
}

void KafkaWriter::lanes_ended() {
  for (const Touched& touched : closed_) touched.lane->ended();
  closed_.clear();
}

void KafkaWriter::close_lanes() {
  for (const Touched& touched : open_) touched.lane->touched = false;
  closed_.insert(closed_.end(), open_.begin(), open_.end());
  open_.clear();
  pending_bytes_ = 0;
  sent_ = false;
}

Status KafkaWriter::commit() {
  {
    MutexLock lock(mutex_);
    ended_.wait(lock, [&]() REQUIRES(mutex_) { return state_.outcome != Outcome::pending; });
    if (state_.outcome == Outcome::failed) {
      const Error error = *state_.error;
      state_ = {};
      lock.unlock();
      drop_open();
      return error;
    }
    if (dead_) return *dead_;
  }
  if (Status open = reopen(); !open) return open;
  for (const Touched& touched : open_) touched.lane->close();
  closed_grant_ = grant_;
  close_lanes();
  const MutexLock lock(mutex_);
  // What the commit before appended and nobody asked for is reported with this one.
  state_.outcome = Outcome::pending;
  committing_.store(true, std::memory_order_release);
  work_.notify_one();
  return {};
}

void KafkaWriter::run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      work_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || state_.outcome == Outcome::pending; });
      if (state_.outcome != Outcome::pending || stopping_) return;
    }
    Status ended;
    if (!closed_.empty()) ended = send_all();
    if (ended && !closed_.empty()) ended = transactions_->commit(closed_grant_, before_end_);
    if (closed_.empty() && before_end_) ended = before_end_();
    std::vector<Appended> appended;
    // Even a writer that is of no use any more aborts if it can: readers wait for the end of what it has written.
    if (ended) {
      appended = collect();
      lanes_ended();
    } else if (Status aborted = transactions_->abort(abort_wait_); aborted) {
      lanes_ended();
    } else if (ended.error().fault != Fault::fenced) {
      ended = Error{Fault::fenced, fmt::format("{}; {}", ended.error().message, aborted.error().message)};
    }
    finish(ended, appended);
  }
}

Writer::Outcome KafkaWriter::outcome_by(Clock::time_point until) {
  MutexLock lock(mutex_);
  ended_.wait_until(lock, until, [&]() REQUIRES(mutex_) { return state_.outcome != Outcome::pending; });
  return state_.outcome;
}

void KafkaWriter::give_up() {
  transactions_->stop();
  bell_.ring();
}

std::vector<Writer::Appended> KafkaWriter::collect() {
  std::vector<Appended> appended;
  for (const Touched& touched : closed_) {
    const std::int64_t next = touched.lane->next_offset();
    if (next >= 0 && touched.track) appended.push_back({touched.topic, touched.partition, next});
  }
  return appended;
}

void KafkaWriter::finish(const Status& ended, std::vector<Appended>& appended) {
  std::function<void()> callback;
  {
    const MutexLock lock(mutex_);
    if (ended) {
      for (const Appended& one : appended) {
        std::erase_if(state_.appended, [&](const Appended& other) {
          return other.topic == one.topic && other.partition == one.partition;
        });
        state_.appended.push_back(one);
      }
      committing_.store(false, std::memory_order_release);
    } else {
      // What librdkafka says about the transaction does not tell what was wrong with it.
      const bool refused = refusal_ && ended.error().fault != Fault::fenced;
      state_.error = refused ? *refusal_ : ended.error();
      if (refused) state_.refused = std::move(refused_);
      state_.appended.clear();
      if (ended.error().fault == Fault::fenced) dead_ = ended.error();
    }
    refused_.clear();
    refusal_.reset();
    state_.outcome = ended ? Outcome::committed : Outcome::failed;
    callback = callback_;
    calling_ = callback != nullptr;
  }
  ended_.notify_all();
  if (!callback) return;
  callback();
  const MutexLock lock(mutex_);
  calling_ = false;
  ended_.notify_all();
}

Writer::CommitState KafkaWriter::commit_state(std::chrono::milliseconds wait) {
  CommitState state;
  {
    MutexLock lock(mutex_);
    const auto ended = [&]() REQUIRES(mutex_) { return state_.outcome != Outcome::pending; };
    if (wait.count() > 0) ended_.wait_for(lock, cluster_.ending()->bound(wait), ended);
    if (!ended()) {
      state.outcome = Outcome::pending;
      return state;
    }
    std::swap(state, state_);
  }
  if (state.outcome == Outcome::failed) drop_open();
  // They may have been deleted or set up anew: the next one to write there asks.
  for (const TopicPartition& where : state.refused) topics_.retire(where.topic);
  return state;
}

/// After a failed commit: what came since goes with it. Nothing of it has been sent.
void KafkaWriter::drop_open() {
  for (const Touched& touched : open_) {
    touched.lane->clear();
    touched.lane->touched = false;
  }
  open_.clear();
  pending_bytes_ = 0;
  committing_.store(false, std::memory_order_release);
}

Status KafkaWriter::abort() {
  for (const Touched& touched : open_) touched.lane->clear();
  {
    const MutexLock lock(mutex_);
    if (dead_) return *dead_;
  }
  // While a commit is under way, nothing of the open transaction has been sent.
  if (committing_.load(std::memory_order_acquire)) {
    for (const Touched& touched : open_) touched.lane->touched = false;
    open_.clear();
    pending_bytes_ = 0;
    return {};
  }
  must_reopen_ = must_reopen_ || sent_;
  close_lanes();
  return reopen();
}

void KafkaWriter::on_commit_done(std::function<void()> callback) {
  const MutexLock lock(mutex_);
  callback_ = std::move(callback);
}

}  // namespace millrace::inline exec
