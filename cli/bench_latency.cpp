#include "cli/bench_latency.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "exec/data/wall_clock.h"
#include "exec/formats/format.h"
#include "parser/error/mutex.h"

namespace millrace::inline cli::bench {
namespace {

constexpr int kAppenders = 16;  // each waits for its append, which takes a while on a cluster
constexpr std::chrono::milliseconds kProbeEvery{20};
constexpr std::chrono::microseconds kProbePause{200};
constexpr std::chrono::seconds kGiveUp{30};

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

class Samples {
 public:
  void add(std::int64_t us) {
    const MutexLock lock(mutex_);
    us_.push_back(us);
  }
  Percentiles percentiles() {
    const MutexLock lock(mutex_);
    Percentiles result;
    result.samples = us_.size();
    if (us_.empty()) return result;
    std::sort(us_.begin(), us_.end());
    const auto at = [&](double share) REQUIRES(mutex_) {
      return static_cast<double>(us_[static_cast<std::size_t>(share * static_cast<double>(us_.size() - 1))]) / 1000;
    };
    result.p50 = at(0.5);
    result.p99 = at(0.99);
    result.max = at(1);
    return result;
  }

 private:
  Mutex mutex_;
  std::vector<std::int64_t> us_ GUARDED_BY(mutex_);
};

/// The one number of each row is the moment its event was appended.
class PushSink final : public ResultSink {
 public:
  PushSink(Samples& samples, const std::atomic<bool>& measuring) : samples_(samples), measuring_(measuring) {}
  void begin(const QueryHeader&) override {}
  bool rows(const Batch& batch) override {
    const std::int64_t now = now_us();
    for (std::size_t row = 0; measuring_ && row < batch.rows; ++row) {
      text_.clear();
      append_row_json(batch, row, text_);
      std::int64_t sent = 0;
      std::from_chars(text_.data() + 1, text_.data() + text_.size(), sent);
      samples_.add(now - sent);
    }
    return true;
  }
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string>, std::optional<ServiceError>) override {}

 private:
  Samples& samples_;
  const std::atomic<bool>& measuring_;
  std::string text_;
};

/// Keeps the number that a pull query gave.
class PullSink final : public ResultSink {
 public:
  void begin(const QueryHeader&) override {}
  bool rows(const Batch& batch) override {
    std::string text;
    for (std::size_t row = 0; row < batch.rows; ++row) {
      append_row_json(batch, row, text);
      std::from_chars(text.data() + 1, text.data() + text.size(), value);
    }
    return true;
  }
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string>, std::optional<ServiceError> failure) override {
    if (failure) error = failure->message;
  }
  std::int64_t value = -1;
  std::string error;
};

class LatencyRun {
 public:
  LatencyRun(LocalService& local, std::string topic, const LatencyOptions& options)
      : local_(local), topic_(std::move(topic)), options_(options) {}

  Result<Latency> run() {
    if (Status done = start(); !done) return done.error();
    PushSink sink(push_, measuring_);
    auto push = local_.service().query({"SELECT sent FROM bench_out EMIT CHANGES;", {}, {}, {}}, sink);
    if (push.error) return user_error("{}", push.error->message);
    std::vector<std::thread> appenders;
    for (int i = 0; i < kAppenders; ++i) appenders.emplace_back([this, i] { note(append(i % kPartitions)); });
    std::thread prober([this] { note(probe()); });
    std::this_thread::sleep_for(std::chrono::seconds(options_.warm_up));
    measuring_ = true;
    const std::int64_t before = appended_;
    std::this_thread::sleep_for(std::chrono::seconds(options_.seconds));
    const std::int64_t count = appended_ - before;
    measuring_ = false;
    stopping_ = true;
    for (std::thread& thread : appenders) thread.join();
    prober.join();
    push.query.reset();
    const MutexLock lock(failure_mutex_);
    if (!failure_) return failure_.error();
    return Latency{push_.percentiles(), pull_.percentiles(), static_cast<double>(count) / options_.seconds};
  }

 private:
  Status start() {
    const std::string sql = fmt::format(
        "CREATE STREAM bench_in (id STRING KEY, sent BIGINT) WITH (kafka_topic='{0}', value_format='JSON', "
        "partitions={1});"
        "CREATE STREAM bench_out WITH (kafka_topic='{0}-out') AS SELECT id, sent FROM bench_in WHERE sent > 0;"
        "CREATE TABLE bench_last WITH (kafka_topic='{0}-last') AS SELECT id, MAX(sent) AS sent FROM bench_in GROUP BY "
        "id;",
        topic_, kPartitions);
    const Reply reply = local_.service().execute({sql, {{"auto.offset.reset", "earliest"}}, {}, {}});
    if (reply.error) return user_error("{}", reply.error->message);
    return {};
  }

  Status send(int partition, const std::string& key, std::int64_t sent) {
    const auto offset = local_.log().append_now({topic_, partition}, key, fmt::format("{{\"sent\":{}}}", sent),
                                                RecordTime{wall_clock_ms()});
    if (!offset) return offset.error();
    return {};
  }

  /// Its share of the rate.
  Status append(int partition) {
    const std::chrono::microseconds pause{1'000'000LL * kAppenders / options_.rate};
    auto due = Clock::now();
    for (int i = 0; !stopping_; ++i) {
      // A stall of the log must not be followed by a burst, which would no longer be a quiet system.
      due = std::max(due + pause, Clock::now() - pause);
      std::this_thread::sleep_until(due);
      if (Status sent = send(partition, fmt::format("key-{}", i % 1'000), now_us()); !sent) return sent;
      ++appended_;
    }
    return {};
  }

  /// Appends one event after another and asks for it until it is there.
  Status probe() {
    const std::string key = "probe";
    const int partition = partition_for(key, kPartitions);
    while (!stopping_) {
      const std::int64_t sent = now_us();
      if (Status done = send(partition, key, sent); !done) return done;
      PullSink sink;
      while (sink.value < sent) {
        sink.error.clear();
        const auto pull = local_.service().query({"SELECT sent FROM bench_last WHERE id = 'probe';", {}, {}, {}}, sink);
        // Until the first slots have come, no table is there to be asked.
        if (pull.error && measuring_) return user_error("{}", pull.error->message);
        if (!sink.error.empty() && measuring_) return user_error("{}", sink.error);
        if (now_us() - sent > std::chrono::microseconds(kGiveUp).count())
          return user_error("an event was not visible to a pull query within {} s", kGiveUp.count());
        if (sink.value < sent) std::this_thread::sleep_for(kProbePause);
      }
      if (measuring_) pull_.add(now_us() - sent);
      std::this_thread::sleep_for(kProbeEvery);
    }
    return {};
  }

  void note(const Status& status) {
    const MutexLock lock(failure_mutex_);
    if (!status && failure_) failure_ = status;
  }

  LocalService& local_;
  std::string topic_;
  LatencyOptions options_;
  Samples push_, pull_;
  std::atomic<bool> measuring_ = false, stopping_ = false;
  std::atomic<std::int64_t> appended_ = 0;
  Mutex failure_mutex_;
  Status failure_ GUARDED_BY(failure_mutex_);
};

}  // namespace

Result<Latency> run_latency(const RunOptions& options, const LatencyOptions& latency) {
  auto opened = open_service(options);
  if (!opened) return opened.error();
  auto result = LatencyRun(*opened->local, opened->run + "latency", latency).run();
  close_service(options, *opened);
  return result;
}

}  // namespace millrace::inline cli::bench
