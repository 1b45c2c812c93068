#include "server/queries/processing_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxQueued = 10'000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The entry as JSON: the fields of spec/config.md §5, and flat ones that say where the record lies.
std::string entry_json(const ProcessingError& error, std::int64_t time, std::uint64_t lost) {
  json::object message{{"type", error.type}};
  json::object detail{{"errorMessage", error.message}};
  switch (error.type) {
    case 0:
      detail["target"] = error.step.ends_with("key") ? "key" : "value";
      detail["topic"] = error.topic;
      message["deserializationError"] = std::move(detail);
      break;
    case 2:
      message["productionError"] = std::move(detail);
      break;
    case 3:
      message["serializationError"] = std::move(detail);
      break;
    default:
      message["recordProcessingError"] = std::move(detail);
  }
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
                                      {"LOST_BEFORE", lost}});
}

class TopicProcessingLog final : public ProcessingLog {
 public:
  TopicProcessingLog(Log& log, std::string topic) : log_(log), topic_(std::move(topic)), thread_([this] { run(); }) {}
  ~TopicProcessingLog() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void report(const ProcessingError& error) override {
    ++reported_;
    {
      std::lock_guard lock(mutex_);
      if (queue_.size() >= kMaxQueued) {
        ++lost_;
        return;
      }
      queue_.push_back({error, now_ms()});
    }
    changed_.notify_one();
  }
  std::uint64_t reported() const override { return reported_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto [error, time] = std::move(queue_.front());
      queue_.pop_front();
      const std::uint64_t lost = std::exchange(lost_, 0);
      lock.unlock();
      const std::string text = entry_json(error, time, lost);
      if (auto done = log_.append_now({topic_, 0}, std::nullopt, std::string_view(text), time); !done)
        spdlog::warn("processing log: {} ({})", done.error().message, text);
      lock.lock();
    }
  }

  Log& log_;
  const std::string topic_;
  std::atomic<std::uint64_t> reported_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<ProcessingError, std::int64_t>> queue_;
  std::uint64_t lost_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ProcessingLog> ProcessingLog::open(Log& log, std::string topic) {
  return std::make_unique<TopicProcessingLog>(log, std::move(topic));
}

std::string ProcessingLog::topic_name(const std::string& configured, const std::string& service_id) {
  return configured.empty() ? service_id + "ksql_processing_log" : configured;
}

std::string ProcessingLog::create_statement(const std::string& stream, const std::string& topic) {
  return fmt::format(
      "CREATE STREAM IF NOT EXISTS `{}` (LOGGER STRING, LEVEL STRING, TIME BIGINT, MESSAGE STRUCT<`type` INT, "
      "`deserializationError` STRUCT<`target` STRING, `errorMessage` STRING, `topic` STRING>, `recordProcessingError` "
      "STRUCT<`errorMessage` STRING>, "
      "`productionError` STRUCT<`errorMessage` STRING>, `serializationError` STRUCT<`errorMessage` STRING>>, `QUERY` "
      "STRING, `STEP` STRING, "
      "`TOPIC` STRING, `PARTITION` INT, `OFFSET` BIGINT, `REASON` STRING, `LOST_BEFORE` BIGINT) "
      "WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');",
      stream, topic);
}

}  // namespace millrace::inline server
