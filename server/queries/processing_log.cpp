#include "server/queries/processing_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/json.hpp>

#include "exec/data/wall_clock.h"
#include "planner/types/value.h"
#include "server/queries/work_queue.h"

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
      : log_(log),
        topic_(std::move(topic)),
        with_records_(with_records),
        reader_(log),
        queue_(kMaxQueued, [this](Entry&& entry) { write(entry); }) {}

  void report(const ProcessingError& error) override {
    ++reported_;
    if (!queue_.offer({error, wall_clock_ms()})) ++lost_;
  }
  std::uint64_t reported() const override { return reported_; }
  std::optional<std::uint64_t> wait_until_written(std::chrono::milliseconds wait) override {
    return queue_.wait_until_empty(wait);
  }

 private:
  struct Entry {
    ProcessingError error;
    std::int64_t time;
  };

  void write(const Entry& entry) {
    const auto& [error, time] = entry;
    const std::uint64_t lost = lost_.exchange(0);
    RecordBytes record;
    if (with_records_) record = reader_.read({error.topic, error.partition}, error.offset).value_or(RecordBytes());
    const std::string text = entry_json(error, record, time, lost);
    if (auto done = log_.append_now({topic_, 0}, std::nullopt, std::string_view(text), RecordTime{time}); !done)
      spdlog::warn("processing log: {} ({})", done.error().message, text);
  }

  Log& log_;
  const std::string topic_;
  const bool with_records_;
  std::atomic<std::uint64_t> reported_ = 0, lost_ = 0;
  RecordReader reader_;  // of the queue's thread
  WorkQueue<Entry> queue_;
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
