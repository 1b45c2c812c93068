#include "server/queries/processing_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <deque>
#include <thread>

#include "exec/data/wall_clock.h"
#include "parser/error/mutex.h"
#include "planner/types/value.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxQueued = 10'000;
constexpr std::chrono::milliseconds kReadPoll{100}, kReadWait{2000};

/// The record that an entry is about.
struct RecordBytes {
  std::optional<std::string> key, value;
};

/// Reads single records again: entries name them, they do not carry them. One thread.
class RecordReader {
 public:
  explicit RecordReader(Log& log) : log_(log) {}

  /// Nothing when the log does not have it any more, or does not answer soon.
  std::optional<RecordBytes> read(const TopicPartition& partition, std::int64_t offset) {
    if (partition.topic.empty() || offset < 0) return std::nullopt;
    if (!reader_) {
      auto made = log_.reader("processing-log");
      if (!made) return std::nullopt;
      reader_ = std::move(*made);
    }
    const auto source = reader_->add(partition, offset);
    if (!source) return std::nullopt;
    auto found = wait_for(offset);
    reader_->remove(*source);
    return found;
  }

 private:
  std::optional<RecordBytes> wait_for(std::int64_t offset) {
    const auto deadline = std::chrono::steady_clock::now() + kReadWait;
    while (std::chrono::steady_clock::now() < deadline) {
      auto fetch = reader_->poll(1, kReadPoll);
      if (!fetch) return std::nullopt;
      if (!*fetch) continue;
      for (const RecordView& record : (*fetch)->records) {
        if (record.offset < offset) continue;
        if (record.offset > offset) return std::nullopt;
        RecordBytes bytes;
        if (record.key) bytes.key = std::string(*record.key);
        if (record.value) bytes.value = std::string(*record.value);
        return bytes;
      }
    }
    return std::nullopt;
  }

  Log& log_;
  std::unique_ptr<Reader> reader_;
};

json::value base64_or_null(const std::optional<std::string>& bytes) {
  return bytes ? json::value(base64_encode(*bytes)) : json::value();
}

/// The part of MESSAGE that is there for this type of error (operations.md, Processing log).
std::pair<std::string_view, json::object> detail_of(const ProcessingError& error, const RecordBytes& record) {
  json::object detail{{"errorMessage", error.message}, {"cause", json::array{json::value(error.message)}}};
  const bool in_key = error.step.ends_with("key");
  switch (error.kind) {
    case RecordErrorKind::deserialization:
      detail["errorMessage"] = fmt::format("Failed to deserialize {} from topic: {}. {}", in_key ? "key" : "value",
                                           error.topic, error.message);
      detail["target"] = in_key ? "key" : "value";
      detail["topic"] = error.topic;
      detail["recordB64"] = base64_or_null(in_key ? record.key : record.value);
      return {"deserializationError", std::move(detail)};
    case RecordErrorKind::production:
      return {"productionError", std::move(detail)};
    case RecordErrorKind::serialization:
      detail["topic"] = error.topic;
      return {"serializationError", std::move(detail)};
    case RecordErrorKind::processing:
      break;
  }
  detail["record"] = base64_or_null(record.value);
  return {"recordProcessingError", std::move(detail)};
}

/// The entry as JSON: the fields of operations.md, Processing log, and flat ones that say where the record lies.
std::string entry_json(const ProcessingError& error, const RecordBytes& record, std::int64_t time, std::uint64_t lost) {
  json::object message{{"type", static_cast<int>(error.kind)}};
  auto [name, detail] = detail_of(error, record);
  message[name] = std::move(detail);
  return json::serialize(json::object{{"LOGGER", fmt::format("processing.{}.{}", error.query_id, error.step)},
                                      {"LEVEL", "ERROR"},
                                      {"TIME", time},
                                      {"MESSAGE", std::move(message)},
                                      {"QUERY", error.query_id},
                                      {"STEP", error.step},
                                      {"TOPIC", error.topic},
                                      {"PARTITION", error.partition},
                                      {"OFFSET", error.offset},
                                      {"REASON", error.message},
                                      {"RECORD_KEY", base64_or_null(record.key)},
                                      {"RECORD", base64_or_null(record.value)},
                                      {"LOST_BEFORE", lost}});
}

class TopicProcessingLog final : public ProcessingLog {
 public:
  TopicProcessingLog(Log& log, std::string topic, bool with_records)
      : log_(log), topic_(std::move(topic)), with_records_(with_records), thread_([this] { run(); }) {}
  ~TopicProcessingLog() override {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void report(const ProcessingError& error) override {
    ++reported_;
    {
      const MutexLock lock(mutex_);
      if (queue_.size() >= kMaxQueued) {
        ++lost_;
        return;
      }
      queue_.push_back({error, wall_clock_ms()});
    }
    changed_.notify_one();
  }
  std::uint64_t reported() const override { return reported_; }
  std::optional<std::uint64_t> wait_until_written(std::chrono::milliseconds wait) override {
    MutexLock lock(mutex_);
    if (!empty_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return queue_.empty() && !writing_; }))
      return std::nullopt;
    return written_;
  }

 private:
  void run() {
    RecordReader reader(log_);
    MutexLock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto [error, time] = std::move(queue_.front());
      queue_.pop_front();
      const std::uint64_t lost = std::exchange(lost_, 0);
      writing_ = true;
      lock.unlock();
      RecordBytes record;
      if (with_records_) record = reader.read({error.topic, error.partition}, error.offset).value_or(RecordBytes());
      const std::string text = entry_json(error, record, time, lost);
      if (auto done = log_.append_now({topic_, 0}, std::nullopt, std::string_view(text), time); !done)
        spdlog::warn("processing log: {} ({})", done.error().message, text);
      lock.lock();
      writing_ = false;
      ++written_;
      if (queue_.empty()) empty_.notify_all();
    }
  }

  Log& log_;
  const std::string topic_;
  const bool with_records_;
  std::atomic<std::uint64_t> reported_ = 0;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<ProcessingError, std::int64_t>> queue_ GUARDED_BY(mutex_);
  std::condition_variable empty_;
  std::uint64_t lost_ GUARDED_BY(mutex_) = 0, written_ GUARDED_BY(mutex_) = 0;
  bool writing_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ProcessingLog> ProcessingLog::open(Log& log, std::string topic, bool with_records) {
  return std::make_unique<TopicProcessingLog>(log, std::move(topic), with_records);
}

std::string ProcessingLog::topic_name(const std::string& configured, const std::string& service_id) {
  return configured.empty() ? service_id + "ksql_processing_log" : configured;
}

std::string ProcessingLog::create_statement(const std::string& stream, const std::string& topic) {
  return fmt::format(
      "CREATE STREAM IF NOT EXISTS `{}` (logger STRING, level STRING, time BIGINT, message STRUCT<type INT, "
      "deserializationError STRUCT<target STRING, errorMessage STRING, recordB64 STRING, cause ARRAY<STRING>, topic "
      "STRING>, recordProcessingError STRUCT<errorMessage STRING, record STRING, cause ARRAY<STRING>>, "
      "productionError STRUCT<errorMessage STRING, cause ARRAY<STRING>>, serializationError STRUCT<errorMessage "
      "STRING, "
      "cause ARRAY<STRING>, topic STRING>>, query STRING, step STRING, topic STRING, partition INT, offset BIGINT, "
      "reason STRING, record_key STRING, record STRING, lost_before BIGINT) "
      "WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');",
      stream, topic);
}

}  // namespace millrace::inline server
