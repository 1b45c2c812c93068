#include "exec/formats/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "parser/error/letter_case.h"
#include "parser/error/mutex.h"
#include "server/session/run_query.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kReadAtOnce = 1000;
constexpr std::chrono::milliseconds kPoll{200}, kRetry{500};
// How long a registry may be away, all in all, before texts are shown without their schemas.
constexpr std::chrono::milliseconds kRegistryPatience{5000}, kRegistryPoll{10};

[[noreturn]] void refuse_unknown_topic(const ast::Print& print, Log& log) {
  std::string message = fmt::format(
      "Could not find topic '{}', or the KSQL user does not have permissions to list the topic. Topic names are "
      "case-sensitive.",
      print.topic.text);
  std::string similar;
  if (auto topics = log.list_topics())
    for (const TopicDescription& topic : *topics)
      if (lower_case(topic.name) == lower_case(print.topic.text)) similar += fmt::format("\n\tprint {};", topic.name);
  if (!similar.empty()) message += "\nDid you mean:" + similar;
  throw SqlError(Code::unknown_source, print.topic.span, message);
}

template <class T>
T checked(Result<T> result, const ast::Print& print) {
  if (!result) throw SqlError(Code::external, print.topic.span, result.error().message, ErrorClass::general);
  return std::move(*result);
}

/// Shows the records of a topic on a thread of its own.
class PrintRun final : public RunningQuery {
 public:
  PrintRun(const ast::Print& print, bool until_end, std::string id, std::shared_ptr<void> own_reader, Log& log,
           std::shared_ptr<SchemaCache> schemas, ResultSink& sink)
      : id_(std::move(id)),
        own_reader_(std::move(own_reader)),
        schemas_(std::move(schemas)),
        interval_(print.interval.value_or(1)),
        left_(print.limit),
        until_end_(until_end),
        sink_(sink) {
    const auto described = checked(log.describe_topic(print.topic.text), print);
    if (!described) refuse_unknown_topic(print, log);
    reader_ = checked(log.reader("print"), print);
    for (int number = 0; number < described->config.partitions; ++number) {
      const TopicPartition partition{print.topic.text, number};
      const Log::Bounds bounds = checked(log.bounds(partition), print);
      const std::int64_t from = print.from_beginning ? bounds.begin : bounds.end;
      const ReadHandle source = checked(reader_->add(partition, from), print);
      parts_.push_back({source, number, from, bounds.end});
    }
  }
  ~PrintRun() override {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    resumed_.notify_all();
    reader_->wake();
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    QueryHeader header;
    header.query_id = id_;
    header.push = true;
    header.text = true;
    sink_.begin(header);
    thread_ = std::thread([this] { run(); });
  }
  const std::string& id() const override { return id_; }
  void resume() override {
    {
      const MutexLock lock(mutex_);
      room_ = true;
    }
    resumed_.notify_all();
  }

 private:
  struct Part {
    ReadHandle source;
    std::int32_t number;
    std::int64_t next, end;
  };

  void run() {
    std::optional<ServiceError> problem;
    while (!stopping() && !(left_ && *left_ <= 0) && !(until_end_ && at_end())) {
      auto fetch = reader_->poll(kReadAtOnce, kPoll);
      if (!fetch && fetch.error().retriable()) {
        std::this_thread::sleep_for(kRetry);
        continue;
      }
      if (!fetch) {
        problem = to_service_error(fetch.error());
        break;
      }
      if (!*fetch) continue;
      if (!show(**fetch)) break;
    }
    sink_.end(std::nullopt, std::move(problem));
  }

  /// Waits for a schema that is on its way.
  ParsedSchemaPtr find_schema(std::int32_t id) {
    SchemaCache::Found found = schemas_->find(id);
    while (found.state == SchemaCache::State::pending && patience_.count() > 0 && !stopping()) {
      std::this_thread::sleep_for(kRegistryPoll);
      patience_ -= kRegistryPoll;
      found = schemas_->find(id);
    }
    return found.schema;
  }

  bool at_end() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.next >= part.end; });
  }

  bool show(const Fetch& fetch) {
    Part& part = *std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.source == fetch.source; });
    part.next = fetch.next_offset;
    for (const RecordView& record : fetch.records) {
      if (until_end_ && record.offset >= part.end) break;
      if (seen_++ % interval_ != 0) continue;
      lines_.clear();
      printer_.print({record.timestamp, record.key, record.value, part.number}, lines_);
      for (const std::string& line : lines_)
        if (!send(line)) return false;
      if (left_ && --*left_ <= 0) break;
    }
    return true;
  }

  /// Waits while the client takes no more; false when the query was stopped meanwhile.
  bool send(const std::string& line) {
    while (true) {
      {
        const MutexLock lock(mutex_);
        if (stopping_) return false;
        room_ = false;
      }
      if (sink_.line(line)) return true;
      MutexLock lock(mutex_);
      resumed_.wait(lock, [&]() REQUIRES(mutex_) { return room_ || stopping_; });
    }
  }

  bool stopping() {
    const MutexLock lock(mutex_);
    return stopping_;
  }

  const std::string id_;
  const std::shared_ptr<void> own_reader_;
  const std::shared_ptr<SchemaCache> schemas_;
  std::chrono::milliseconds patience_ = kRegistryPatience;
  const std::int64_t interval_;
  std::optional<std::int64_t> left_;
  const bool until_end_;
  ResultSink& sink_;
  std::unique_ptr<Reader> reader_;
  std::vector<Part> parts_;
  RecordPrinter printer_{[this](std::int32_t id) { return find_schema(id); }};
  std::vector<std::string> lines_;
  std::int64_t seen_ = 0;

  Mutex mutex_;
  std::condition_variable resumed_;
  bool stopping_ GUARDED_BY(mutex_) = false, room_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

void check_positive(const std::optional<std::int64_t>& number, std::string_view clause, const ast::Print& print) {
  if (number && *number < 1)
    throw SqlError(Code::invalid_statement, print.topic.span,
                   fmt::format("{} of PRINT must be at least 1, got {}.", clause, *number));
}

}  // namespace

Service::Started run_print(const ast::Print& print, bool until_end, ServiceImpl& service, ResultSink& sink) {
  check_positive(print.interval, "INTERVAL", print);
  check_positive(print.limit, "LIMIT", print);
  auto own = service.engine().own_reader();
  if (!own) return {nullptr, to_service_error(own.error())};
  auto run = std::make_unique<PrintRun>(print, until_end, service.next_transient_id("PRINT"), std::move(*own),
                                        service.log(), service.schemas(), sink);
  run->start();
  return {std::move(run), std::nullopt};
}

}  // namespace millrace::inline server
