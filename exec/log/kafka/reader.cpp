#include "exec/log/kafka/reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <limits>

#include "exec/log/header_spans.h"
#include "exec/log/kafka/client.h"
#include "exec/log/kafka/ends.h"
#include "exec/log/kafka/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxBatch = 8192;
struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const {
    rd_kafka_queue_cb_event_enable(queue, nullptr, nullptr);  // returns when no callback runs any more
    rd_kafka_queue_destroy(queue);
  }
};

kafka::Settings tuning(const KafkaReader::Share& share, KafkaReader::Purpose purpose) {
  return {
      // A committed end that follows records only shows in the next answer: it must not be long in coming.
      {"fetch.wait.max.ms", purpose == KafkaReader::Purpose::to_end ? "5" : "100"},
      {"fetch.message.max.bytes", std::to_string(share.fetched_bytes)},
      {"fetch.max.bytes", "16777216"},
      {"fetch.error.backoff.ms", "50"},
      {"queued.min.messages", std::to_string(share.queued_messages)},
      {"queued.max.messages.kbytes", std::to_string(share.queued_bytes >> 10)},
      {"check.crcs", "false"},
  };
}

kafka::Settings fixed() {
  return {
      {"isolation.level", "read_committed"}, {"enable.partition.eof", "true"},
      {"auto.offset.reset", "error"},  // records that are removed before they were read are missed loudly
      {"enable.auto.offset.store", "false"}, {"enable.auto.commit", "false"},
  };
}

}  // namespace

struct KafkaReader::Client {
  kafka::ClientPtr handle;
  // Set while a queue is served: what librdkafka tells beside messages, for one that a topic is gone.
  std::optional<std::pair<int, std::string>> told;

  static void on_error(rd_kafka_t*, int code, const char* reason, void* client) {
    static_cast<Client*>(client)->told.emplace(code, reason);
  }
};

/// Sources that have something to read. Its lock is taken inside librdkafka's queue locks: call none of its queue
/// functions with it.
struct KafkaReader::Line {
  Mutex mutex;
  std::condition_variable event;
  std::deque<ReadHandle> ready GUARDED_BY(mutex);
  bool woken GUARDED_BY(mutex) = false;
  struct Answer {
    ReadHandle source;
    std::int64_t position;  // where the one who asked stood
    Clock::time_point asked;
    std::optional<std::int64_t> end{};  // absent: the log did not answer
  };
  std::vector<Answer> answers GUARDED_BY(mutex);  // about ends, not looked at yet

  void answer(Answer about) {
    const MutexLock lock(mutex);
    answers.push_back(about);
    woken = true;
    event.notify_one();
  }
};

/// What is read of one cluster.
struct KafkaReader::Side {
  kafka::Cluster& cluster;
  const Share* share;
  std::shared_ptr<Client> client;  // shared with the fetches handed out
  std::unique_ptr<kafka::EndAsker> ends;
  std::size_t sources = 0;
};

struct KafkaReader::Source {
  Line* line;
  Side* side;
  ReadHandle handle;
  TopicPartition name;
  std::string topic_name;  // in its cluster
  kafka::TopicPtr topic;
  std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue;
  std::int64_t position = 0;
  std::int64_t told = 0;      // next offset as poll() has told it
  std::int64_t end = 0;       // for committed readers, as the log told when asked at `asked_at`
  std::int64_t asked_at = 0;  // position
  Clock::time_point asked{};  // when
  std::int64_t skipped = 0;
  std::size_t run_bytes = 0;       // handed out since the queue was found empty
  std::size_t unwoken_bytes = 0;   // handed out since librdkafka was last woken
  std::size_t unwoken = 0;         // the same in messages
  std::optional<Error> trouble{};  // to report when the records before it have been handed out
  bool begun = false;              // something has come
  bool at_end = false;             // the last that came was the committed end
  bool drained = true;             // the queue was found empty
  bool filled_up = false;          // the queue was so full that librdkafka stopped fetching
  bool asking = false;             // where the end is
  bool paused = false;             // with `ready` guarded by the line's lock
  bool ready = false;

  void line_up() {
    const MutexLock lock(line->mutex);
    if (ready || paused) return;
    ready = true;
    line->ready.push_back(handle);
    line->event.notify_one();
  }
  static void filled(rd_kafka_t*, void* source) { static_cast<Source*>(source)->line_up(); }

  /// Reads on from `position` through `client`; what waits is forgotten.
  Status start(rd_kafka_t* client) {
    stop();
    auto opened = kafka::open_topic(client, topic_name);
    if (!opened) return opened.error();
    topic = std::move(*opened);
    queue.reset(rd_kafka_queue_new(client));
    run_bytes = unwoken_bytes = unwoken = 0;
    drained = true;
    filled_up = at_end = false;
    rd_kafka_queue_cb_event_enable(queue.get(), filled, this);
    if (rd_kafka_consume_start_queue(topic.get(), name.partition, position, queue.get()) != 0)
      return kafka::error_of(rd_kafka_last_error(), fmt::format("read topic '{}'", name.topic));
    return {};
  }
  /// Nothing calls back here any more; what librdkafka has stays with it.
  void leave() {
    if (queue) rd_kafka_queue_cb_event_enable(queue.get(), nullptr, nullptr);
    static_cast<void>(queue.release());
    static_cast<void>(topic.release());
  }
  void stop() {
    if (topic) rd_kafka_consume_stop(topic.get(), name.partition);
    queue.reset();
    topic.reset();
  }
};

namespace {

/// Keeps what the views of a fetch point into.
struct Messages {
  Messages(std::shared_ptr<void> of, rd_kafka_message_t* const* begin, std::size_t count)
      : client(std::move(of)), list(begin, begin + count) {}
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  ~Messages() {
    for (rd_kafka_message_t* message : list) rd_kafka_message_destroy(message);
  }
  std::shared_ptr<void> client;  // must outlive its messages
  std::vector<rd_kafka_message_t*> list;
  std::vector<HeaderView> headers;
};

std::optional<std::string_view> bytes_of(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

/// librdkafka allocates to find out that a record has no headers. In the record format (since Kafka 0.11) their count
/// follows the value in the fetched bytes, which librdkafka hands out as they came; a zero there spares the question.
bool has_no_headers(const rd_kafka_message_t* message) {
  return message->payload != nullptr && static_cast<const char*>(message->payload)[message->len] == 0;
}

std::size_t add_headers(const rd_kafka_message_t* message, std::vector<HeaderView>& headers) {
  if (has_no_headers(message)) [[likely]]
    return 0;
  rd_kafka_headers_t* list = nullptr;
  if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0, count = 0;
  while (rd_kafka_header_get_all(list, count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    headers.push_back({name, bytes_of(value, size)});
    ++count;
  }
  return count;
}

Error trouble_of(const TopicPartition& name, int code, std::string_view reason) {
  if (kafka::is_unknown(code)) return user_error("topic '{}' was deleted", name.topic);
  if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    return user_error("topic '{}' partition {}: records were removed before they were read ({})", name.topic,
                      name.partition, reason);
  return kafka::error_of(code, fmt::format("read topic '{}' partition {}", name.topic, name.partition), reason);
}

/// Gathers the records of one fetch; header spans are set at the end, when their array has stopped moving.
class FetchBuilder {
 public:
  FetchBuilder(std::shared_ptr<Messages> messages) : messages_(std::move(messages)) {
    fetch_.records.reserve(messages_->list.size());
  }
  bool empty() const { return fetch_.records.empty(); }

  std::size_t add(const rd_kafka_message_t* message) {
    RecordView& record = fetch_.records.emplace_back();
    record.key = bytes_of(message->key, message->key_len);
    record.value = bytes_of(message->payload, message->len);
    rd_kafka_timestamp_type_t type;
    record.timestamp = rd_kafka_message_timestamp(message, &type);
    record.offset = message->offset;
    const std::size_t count = add_headers(message, messages_->headers);
    spans_.add(fetch_.records.size() - 1, count);
    return message->key_len + message->len;
  }

  Fetch finish(ReadHandle source, std::int64_t next_offset) {
    spans_.set(fetch_.records, messages_->headers);
    fetch_.source = source;
    fetch_.next_offset = next_offset;
    fetch_.owner = std::move(messages_);
    return std::move(fetch_);
  }

 private:
  std::shared_ptr<Messages> messages_;
  Fetch fetch_;
  HeaderSpans spans_;
};

}  // namespace

/// Memory does not grow with what is read: the more partitions, the less is fetched of each ahead of its turn.
/// librdkafka stops fetching a partition at so many bytes or messages that wait; a message takes it 400 bytes beside
/// its own.
const KafkaReader::Share& KafkaReader::share_of(std::size_t partitions) {
  static constexpr std::array<Share, 4> kShares{{{4, 16 << 20, 2 << 20, 25'000},
                                                 {16, 1 << 20, 256 << 10, 3'000},
                                                 {64, 256 << 10, 64 << 10, 800},
                                                 {std::numeric_limits<std::size_t>::max(), 64 << 10, 32 << 10, 400}}};
  return *std::find_if(kShares.begin(), kShares.end(),
                       [&](const Share& share) { return partitions <= share.partitions; });
}

Result<std::shared_ptr<KafkaReader::Client>> KafkaReader::make_client(kafka::Cluster& cluster,
                                                                      const Share& share) const {
  auto client = std::make_shared<Client>();
  kafka::ClientSetup setup{.kind = kafka::ClientKind::consumer,
                           .client_id = client_id_,
                           .ending = cluster.ending(),
                           .defaults = tuning(share, purpose_),
                           .fixed = fixed()};
  setup.callbacks = [&](rd_kafka_conf_s* conf) {
    rd_kafka_conf_set_opaque(conf, client.get());
    rd_kafka_conf_set_error_cb(conf, Client::on_error);
  };
  auto made = kafka::make_client(cluster.options(), setup);
  if (!made) return made.error();
  client->handle = std::move(*made);
  return client;
}

Result<std::unique_ptr<Reader>> KafkaReader::make(KafkaLog& log, const std::string& client_id, Purpose purpose) {
  std::unique_ptr<KafkaReader> reader(new KafkaReader(log, client_id, purpose));
  if (auto home = reader->side_of(log.home()); !home) return home.error();
  return std::unique_ptr<Reader>(std::move(reader));
}

KafkaReader::KafkaReader(KafkaLog& log, std::string client_id, Purpose purpose)
    : log_(log), client_id_(std::move(client_id)), purpose_(purpose), line_(std::make_unique<Line>()) {}

Result<KafkaReader::Side*> KafkaReader::side_of(kafka::Cluster& cluster) {
  for (const auto& side : sides_)
    if (&side->cluster == &cluster) return side.get();
  const Share& share = share_of(1);
  auto client = make_client(cluster, share);
  if (!client) return client.error();
  auto answer = [line = line_.get()](const kafka::EndAsker::Question& asked, std::optional<std::int64_t> end) {
    line->answer({asked.source, asked.position, asked.time, end});
  };
  auto ends = std::make_unique<kafka::EndAsker>(cluster.admin(), std::move(answer));
  sides_.push_back(std::make_unique<Side>(Side{cluster, &share, std::move(*client), std::move(ends)}));
  return sides_.back().get();
}

KafkaReader::~KafkaReader() {
  const bool in_haste = log_.ending()->over();
  for (const auto& [handle, source] : sources_) in_haste ? source->leave() : source->stop();
  for (const auto& side : sides_)
    if (in_haste && side->client->handle) kafka::abandon(side->client->handle.release());
  sources_.clear();
}

KafkaReader::Source* KafkaReader::find(ReadHandle source) {
  const auto found = sources_.find(source);
  return found == sources_.end() ? nullptr : found->second.get();
}

Result<std::int64_t> KafkaReader::start_of(const TopicPartition& partition, std::int64_t offset, const LogBounds* known,
                                           std::int64_t& end) {
  if (purpose_ == Purpose::to_end && offset >= 0) return end = offset;
  const bool good = known != nullptr && offset != kOffsetEnd && offset <= known->end;
  auto bounds = good ? Result<LogBounds>(*known) : log_.bounds(partition, true);
  if (!bounds) return bounds.error();
  end = bounds->end;
  if (offset == kOffsetBeginning) return bounds->begin;
  if (offset == kOffsetEnd) return bounds->end;
  if (offset > bounds->end) {
    // What we wrote ourselves may be committed while its partition does not show it yet.
    bounds = log_.bounds(partition, false);
    if (!bounds) return bounds.error();
  }
  if (offset < 0 || offset > bounds->end)
    return user_error("topic '{}' partition {}: offset {} lies outside the log, which ends at {}", partition.topic,
                      partition.partition, offset, bounds->end);
  return std::max(offset, bounds->begin);
}

/// How much is fetched ahead is a setting of the client: for many partitions another one takes its place.
Status KafkaReader::make_room(Side& side) {
  const Share& share = share_of(side.sources + 1);
  if (share.partitions <= side.share->partitions) return {};
  auto client = make_client(side.cluster, share);
  if (!client) return client.error();
  for (const auto& [handle, source] : sources_) {
    if (source->side != &side) continue;
    if (auto started = source->start((*client)->handle.get()); !started) {
      source->trouble = started.error();
      source->line_up();
    }
  }
  side.client = std::move(*client);
  side.share = &share;
  return {};
}

Result<ReadHandle> KafkaReader::add(const TopicPartition& partition, std::int64_t offset, const LogBounds* known) {
  for (const auto& [handle, source] : sources_)
    if (source->name == partition)
      return Error{Fault::bug,
                   fmt::format("topic '{}' partition {} is being read already", partition.topic, partition.partition)};
  const auto place = log_.place_of(partition.topic);
  if (!place) return place.error();
  auto side = side_of(*place->cluster);
  if (!side) return side.error();
  if (auto made = make_room(**side); !made) return made.error();
  auto source = std::make_unique<Source>();
  const auto start = start_of(partition, offset, known, source->end);
  if (!start) return start.error();
  const ReadHandle handle{next_handle_++};
  source->line = line_.get();
  source->side = *side;
  source->topic_name = place->name;
  source->handle = handle;
  source->name = partition;
  source->position = source->asked_at = *start;
  source->told = offset < 0 ? *start : offset;
  source->skipped = *start - source->told;
  if (auto started = source->start((*side)->client->handle.get()); !started) return started.error();
  ++(*side)->sources;
  sources_.emplace(handle, std::move(source));
  return handle;
}

void KafkaReader::remove(ReadHandle source) {
  Source* found = find(source);
  if (!found) return;
  found->stop();
  --found->side->sources;
  sources_.erase(source);
}

void KafkaReader::pause(ReadHandle source) {
  Source* found = find(source);
  if (!found) return;
  const MutexLock lock(line_->mutex);
  found->paused = true;
}

void KafkaReader::resume(ReadHandle source) {
  Source* found = find(source);
  if (!found) return;
  {
    const MutexLock lock(line_->mutex);
    if (!found->paused) return;
    found->paused = false;
  }
  found->line_up();
}

void KafkaReader::wake() {
  const MutexLock lock(line_->mutex);
  line_->woken = true;
  line_->event.notify_one();
}

std::int64_t KafkaReader::skipped(ReadHandle source) const {
  const auto found = sources_.find(source);
  return found == sources_.end() ? 0 : found->second->skipped;
}

std::int64_t KafkaReader::known_end(ReadHandle source) {
  const Source* found = find(source);
  if (!found) return 0;
  const bool waiting = rd_kafka_queue_length(found->queue.get()) > 0;
  if (!waiting && !found->begun) return std::max(found->position, found->end);
  if (!waiting && (found->at_end || found->run_bytes < found->side->share->fetched_bytes / 4)) return found->position;
  std::int64_t low = 0, high = 0;
  rd_kafka_get_watermark_offsets(found->side->client->handle.get(), found->topic_name.c_str(), found->name.partition,
                                 &low, &high);
  return std::max(high, found->position + (waiting ? 1 : 0));
}

// A response that brings records does not tell where the committed ones end; the empty one after it does (a partition's
// end is reported once), but may wait for records first. Until then only the log knows. When the broker sent what has
// come is not known either.
bool KafkaReader::ended(ReadHandle source, Clock::time_point since) {
  take_answers();
  const Source* found = find(source);
  if (!found) return true;
  if (rd_kafka_queue_length(found->queue.get()) > 0 || found->position < found->end) return false;
  return (found->asked_at == found->position && found->asked >= since) ||
         (found->at_end && since == Clock::time_point{});
}

void KafkaReader::ask_end(ReadHandle source) {
  Source* found = find(source);
  // Up to a known end records come, or the report that markers and gaps end there.
  if (!found || found->position < found->end || found->asking) return;
  found->asking = true;
  found->side->ends->ask({source, {found->topic_name, found->name.partition}, found->position, Clock::now()});
}

void KafkaReader::take_answers() {
  std::vector<Line::Answer> answers;
  {
    const MutexLock lock(line_->mutex);
    if (line_->answers.empty()) return;
    answers.swap(line_->answers);
  }
  for (const Line::Answer& answer : answers) {
    Source* source = find(answer.source);
    if (!source) continue;
    source->asking = false;
    if (!answer.end) continue;
    source->end = *answer.end;
    source->asked_at = answer.position;
    source->asked = answer.asked;
  }
}

Result<std::optional<Fetch>> KafkaReader::poll(std::size_t max_records, std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  MutexLock lock(line_->mutex);
  while (true) {
    while (!line_->ready.empty()) {
      const ReadHandle handle = line_->ready.front();
      line_->ready.pop_front();
      Source* source = find(handle);
      if (!source) continue;
      // Before the queue is looked at, so that what comes afterwards lines it up again.
      source->ready = false;
      if (source->paused) continue;
      lock.unlock();
      auto taken = take(handle, *source, std::clamp<std::size_t>(max_records, 1, kMaxBatch));
      if (!taken) at_fault_ = taken.error().retriable() ? kNoRead : handle;
      if (!taken || *taken) return taken;
      lock.lock();
    }
    if (line_->woken || Clock::now() >= deadline) break;
    // Only empties its list of troubles; those that matter come through the partitions' queues.
    for (const auto& side : sides_) rd_kafka_poll(side->client->handle.get(), 0);
    line_->event.wait_until(lock, deadline,
                            [&]() REQUIRES(line_->mutex) { return line_->woken || !line_->ready.empty(); });
  }
  line_->woken = false;
  return std::optional<Fetch>{};
}

/// librdkafka sleeps for up to a second when every queue of a broker was full, and nothing wakes it when one has been
/// emptied; a seek to where it stands anyway does.
void KafkaReader::fetch_again(Source& source) {
  source.filled_up = false;
  source.unwoken_bytes = source.unwoken = 0;
  if (!source.at_end) rd_kafka_seek(source.topic.get(), source.name.partition, source.position, 0);
}

Result<std::optional<Fetch>> KafkaReader::take(ReadHandle handle, Source& source, std::size_t max_records) {
  rd_kafka_message_t* batch[kMaxBatch];
  Client& client = *source.side->client;
  const Share& share = *source.side->share;
  client.told.reset();
  source.filled_up = source.filled_up || source.unwoken_bytes >= share.queued_bytes / 2 ||
                     source.unwoken >= share.queued_messages / 2 ||
                     rd_kafka_queue_length(source.queue.get()) >= share.queued_messages;
  const ssize_t count = rd_kafka_consume_batch_queue(source.queue.get(), 0, batch, max_records);
  if (client.told) source.trouble = trouble_of(source.name, client.told->first, client.told->second);
  if (count <= 0) {
    source.drained = true;
    if (source.trouble) return *std::exchange(source.trouble, std::nullopt);
    return std::optional<Fetch>{};
  }
  if (std::exchange(source.drained, static_cast<std::size_t>(count) < max_records)) source.run_bytes = 0;
  source.line_up();
  FetchBuilder builder(std::make_shared<Messages>(source.side->client, batch, static_cast<std::size_t>(count)));
  source.begun = true;
  for (ssize_t i = 0; i < count; ++i) {
    const rd_kafka_message_t* message = batch[i];
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]] {
      if (message->offset < source.position) continue;
      const std::size_t bytes = builder.add(message);
      source.run_bytes += bytes;
      source.unwoken_bytes += bytes;
      ++source.unwoken;
      source.position = message->offset + 1;
      source.at_end = false;
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      source.position = std::max(source.position, message->offset);
      source.filled_up = false;
      source.unwoken_bytes = source.unwoken = 0;
      source.at_end = source.position >= source.end;
      if (!source.at_end) {  // the log has told of more, perhaps after it sent this: to be asked again
        source.end = source.position;
        source.asked_at = -1;
      }
    } else {
      source.trouble = trouble_of(source.name, message->err, rd_kafka_message_errstr(message));
    }
  }
  if (source.filled_up && rd_kafka_queue_length(source.queue.get()) == 0) fetch_again(source);
  if (builder.empty() && source.trouble) return *std::exchange(source.trouble, std::nullopt);
  if (builder.empty() && source.position == source.told) return std::optional<Fetch>{};
  source.told = source.position;
  return std::optional<Fetch>{builder.finish(handle, source.position)};
}

}  // namespace millrace::inline exec
