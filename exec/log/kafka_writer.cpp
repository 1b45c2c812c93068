#include "exec/log/kafka_writer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "exec/log/kafka_log.h"
#include "exec/log/kafka_produce.h"

namespace millrace {

namespace {

using namespace std::chrono_literals;

constexpr auto kInitWait = 60s;
constexpr auto kAbortWait = 30s;
constexpr auto kRoomWait = 60s;  // for librdkafka's queue to take another record
constexpr auto kStopWait = 5s;

kafka::ClientSetup setup(const KafkaOptions& options, const std::string& transactional_id) {
  const auto timeout = std::max<std::chrono::milliseconds>(10s, 3 * options.commit_interval);
  return {.kind = kafka::ClientKind::producer,
          .client_id = transactional_id,
          // While a request is out, librdkafka spins over records that are older than this. A flush does not wait for it.
          .defaults = {{"linger.ms", "100"},
                       {"retry.backoff.ms", "5"},
                       {"batch.size", "1000000"},
                       {"queue.buffering.max.messages", "2000000"},
                       {"queue.buffering.max.kbytes", "524288"},
                       {"transaction.timeout.ms", std::to_string(timeout.count())}},
          .fixed = {{"transactional.id", transactional_id}, {"enable.idempotence", "true"}}};
}

}  // namespace

Result<std::unique_ptr<Writer>> KafkaWriter::make(KafkaLog& log, const std::string& transactional_id,
                                                  std::shared_ptr<kafka::GroupFence> fence) {
  kafka::ClientSetup with = setup(log.options(), transactional_id);
  with.callbacks = [](rd_kafka_conf_s* conf) { kafka::report_acknowledgements(conf, KafkaWriter::acknowledged); };
  auto client = kafka::make_client(log.options(), with);
  if (!client) return client.error();
  std::unique_ptr<KafkaWriter> writer(new KafkaWriter(log, std::move(*client), std::move(fence)));
  if (Status ready = writer->transactions_.init(kInitWait); !ready) return ready.error();
  writer->thread_ = std::thread([raw = writer.get()] { raw->run(); });
  return std::unique_ptr<Writer>(std::move(writer));
}

KafkaWriter::KafkaWriter(KafkaLog& log, kafka::ClientPtr client, std::shared_ptr<kafka::GroupFence> fence)
    : log_(log), client_(std::move(client)), transactions_(client_.get(), std::move(fence)) {}

KafkaWriter::~KafkaWriter() {
  {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, kStopWait, [&] { return state_.outcome != Outcome::pending && !calling_; });
    stopping_ = true;
  }
  transactions_.stop();
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
  // Readers wait for the end of what has been written; what cannot be aborted now ends by the log's timeout.
  if (produced_ || must_reopen_) static_cast<void>(transactions_.abort(0ms).has_value());
}

void KafkaWriter::acknowledged(void* place, std::int64_t offset, int code) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || offset < 0) return;
  auto& next = static_cast<Place*>(place)->next_offset;
  if (next.load(std::memory_order_relaxed) <= offset) next.store(offset + 1, std::memory_order_release);
}

Result<int> KafkaWriter::topic(const std::string& name, bool track) {
  int handle = -1;
  if (const auto found = handles_.find(name); found != handles_.end()) {
    handle = found->second;
  } else {
    const auto partitions = log_.admin().partition_count(name);
    if (!partitions) return partitions.error();
    auto opened = kafka::open_topic(client_.get(), name);
    if (!opened) return opened.error();
    handle = static_cast<int>(topics_.size());
    topics_.push_back({name, std::move(*opened), *partitions, nullptr});
    handles_[name] = handle;
  }
  Topic& found = topics_[static_cast<std::size_t>(handle)];
  if (track && !found.places) found.places = std::make_unique<Place[]>(static_cast<std::size_t>(found.partitions));
  return handle;
}

std::int32_t KafkaWriter::partitions(int topic) const {
  return topics_[static_cast<std::size_t>(topic)].partitions;
}

Status KafkaWriter::append(int topic, std::int32_t partition, std::optional<std::string_view> key,
                           std::optional<std::string_view> value, std::int64_t timestamp,
                           std::span<const HeaderView> headers) {
  const Topic& target = topics_[static_cast<std::size_t>(topic)];
  if (partition < 0 || partition >= target.partitions) [[unlikely]]
    return Error{Fault::bug, fmt::format("topic '{}' has no partition {}", target.name, partition)};
  if (timestamp < 0) [[unlikely]]
    return user_error("topic '{}': Kafka takes no timestamp before 1970 ({} ms)", target.name, timestamp);
  const kafka::Staging::Record record{topic, partition, timestamp, key, value, headers};
  const std::size_t bytes = (key ? key->size() : 0) + (value ? value->size() : 0) + sizeof record.timestamp;
  if (closed_.load(std::memory_order_acquire)) {
    staged_.add(record);
    pending_bytes_ += bytes;
    return {};
  }
  if (must_reopen_ || !staged_.empty()) [[unlikely]]
    if (Status drained = drain(); !drained) return drained;
  if (Status produced = produce(record); !produced) return produced;
  pending_bytes_ += bytes;
  return {};
}

Status KafkaWriter::produce(const kafka::Staging::Record& record) {
  Topic& topic = topics_[static_cast<std::size_t>(record.topic)];
  Place* place = topic.places ? &topic.places[record.partition] : nullptr;
  if (place && !place->touched) {
    place->touched = true;
    touched_.push_back({record.topic, record.partition, place});
  }
  const kafka::Outgoing outgoing{topic.handle.get(), record.partition, record.key, record.value,
                                 record.timestamp,   record.headers,   place};
  int code = kafka::produce(client_.get(), outgoing);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) [[unlikely]] {
    const auto deadline = Clock::now() + kRoomWait;
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && Clock::now() < deadline) {
      std::this_thread::sleep_for(1ms);
      code = kafka::produce(client_.get(), outgoing);
    }
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]]
    return kafka::error_of(code, fmt::format("append to topic '{}' partition {}", topic.name, record.partition));
  produced_ = true;
  return {};
}

/// What was staged goes first.
Status KafkaWriter::drain() {
  if (Status open = reopen(); !open) return open;
  for (; !staged_.empty(); staged_.pop())
    if (Status produced = produce(staged_.front()); !produced) return produced;
  return {};
}

Status KafkaWriter::reopen() {
  if (!must_reopen_) return {};
  if (Status aborted = transactions_.abort(kAbortWait); !aborted) {
    const std::lock_guard lock(mutex_);
    if (aborted.error().fault == Fault::fenced) dead_ = aborted.error();
    return aborted;
  }
  must_reopen_ = false;
  produced_ = false;
  forget_places();
  return {};
}

void KafkaWriter::forget_places() {
  for (const Touched& touched : touched_) {
    touched.place->touched = false;
    touched.place->next_offset.store(-1, std::memory_order_relaxed);
  }
  touched_.clear();
}

Status KafkaWriter::commit() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return state_.outcome != Outcome::pending; });
  if (state_.outcome == Outcome::failed) {
    const Error error = *state_.error;
    state_ = {};
    lock.unlock();
    drop_open();
    return error;
  }
  if (dead_) return *dead_;
  lock.unlock();
  if (Status drained = drain(); !drained) return drained;
  lock.lock();
  // What the commit before appended and nobody asked for is reported with this one.
  state_.outcome = Outcome::pending;
  empty_ = !std::exchange(produced_, false);
  pending_bytes_ = 0;
  closed_.store(true, std::memory_order_release);
  work_.notify_one();
  return {};
}

void KafkaWriter::run() {
  while (true) {
    bool empty;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || state_.outcome == Outcome::pending; });
      if (state_.outcome != Outcome::pending || stopping_) return;
      empty = empty_;
    }
    Status ended = empty ? Status{} : transactions_.commit();
    // Even a writer that is of no use any more aborts if it can: readers wait for the end of what it has written.
    if (!ended)
      if (Status aborted = transactions_.abort(kAbortWait); !aborted && ended.error().fault != Fault::fenced)
        ended = Error{Fault::fenced, fmt::format("{}; {}", ended.error().message, aborted.error().message)};
    finish(ended);
  }
}

std::vector<Writer::Appended> KafkaWriter::collect() {
  std::vector<Appended> appended;
  for (const Touched& touched : touched_) {
    const std::int64_t next = touched.place->next_offset.load(std::memory_order_acquire);
    if (next >= 0) appended.push_back({touched.topic, touched.partition, next});
  }
  return appended;
}

void KafkaWriter::finish(const Status& ended) {
  std::vector<Appended> appended;
  if (ended) appended = collect();
  forget_places();
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (ended) {
      for (const Appended& one : appended) {
        std::erase_if(state_.appended, [&](const Appended& other) {
          return other.topic == one.topic && other.partition == one.partition;
        });
        state_.appended.push_back(one);
      }
      closed_.store(false, std::memory_order_release);
    } else {
      state_.error = ended.error();
      state_.appended.clear();
      if (ended.error().fault == Fault::fenced) dead_ = ended.error();
    }
    state_.outcome = ended ? Outcome::committed : Outcome::failed;
    callback = callback_;
    calling_ = callback != nullptr;
  }
  ended_.notify_all();
  if (!callback) return;
  callback();
  const std::lock_guard lock(mutex_);
  calling_ = false;
  ended_.notify_all();
}

Writer::CommitState KafkaWriter::commit_state(std::chrono::milliseconds wait) {
  CommitState state;
  {
    std::unique_lock lock(mutex_);
    const auto ended = [&] { return state_.outcome != Outcome::pending; };
    if (wait.count() > 0) ended_.wait_for(lock, wait, ended);
    if (!ended()) {
      state.outcome = Outcome::pending;
      return state;
    }
    std::swap(state, state_);
  }
  if (state.outcome == Outcome::failed) drop_open();
  return state;
}

/// After a failed commit: what came since goes with it.
void KafkaWriter::drop_open() {
  staged_.clear();
  pending_bytes_ = 0;
  closed_.store(false, std::memory_order_release);
}

Status KafkaWriter::abort() {
  staged_.clear();
  pending_bytes_ = 0;
  {
    const std::lock_guard lock(mutex_);
    if (dead_) return *dead_;
  }
  // While a commit is under way, all of the open transaction is staged.
  if (closed_.load(std::memory_order_acquire)) return {};
  if (produced_) must_reopen_ = true;
  return reopen();
}

void KafkaWriter::on_commit_done(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  callback_ = std::move(callback);
}

}  // namespace millrace
