#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

#include "cli/backend.h"
#include "exec/data/wall_clock.h"
#include "parser/error/mutex.h"
#include "parser/syntax/parse.h"
#include "server/session/service.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxQueued = 10'000;
constexpr std::chrono::minutes kSettle{10};

/// Brings rows from the engine's thread to the one that prints.
class QueueSink final : public ResultSink {
 public:
  struct Item {
    std::string row;  // a JSON array, or a line of PRINT
    bool tombstone = false, line = false;
  };

  void begin(const QueryHeader& header) override {
    const MutexLock lock(mutex_);
    header_ = header;
    changed_.notify_all();
  }
  bool rows(const Batch& batch) override {
    const MutexLock lock(mutex_);
    if (items_.size() > kMaxQueued && header_ && header_->push) {
      full_ = true;
      return false;
    }
    for (std::size_t i = 0; i < batch.rows; ++i) {
      Item item;
      item.tombstone = batch.kind(i) == RowKind::remove;
      append_row_json(batch, i, item.row);
      items_.push_back(std::move(item));
    }
    changed_.notify_all();
    return true;
  }
  bool line(std::string_view text) override {
    const MutexLock lock(mutex_);
    if (items_.size() > kMaxQueued) {
      full_ = true;
      return false;
    }
    items_.push_back({std::string(text), false, true});
    changed_.notify_all();
    return true;
  }
  void end(std::optional<std::string> message, std::optional<ServiceError> error) override {
    const MutexLock lock(mutex_);
    ended_ = true;
    message_ = std::move(message);
    if (error) error_ = error->to_json();
    changed_.notify_all();
  }

  Mutex mutex_;
  std::condition_variable changed_;
  std::optional<QueryHeader> header_ GUARDED_BY(mutex_);
  std::deque<Item> items_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false, full_ GUARDED_BY(mutex_) = false;
  std::optional<std::string> message_ GUARDED_BY(mutex_);
  std::optional<json::object> error_ GUARDED_BY(mutex_);
};

std::vector<std::string> names_of(const Schema& schema) {
  std::vector<std::string> names;
  for (const ColumnDef& column : schema.columns) names.push_back(column.name);
  return names;
}

class LocalBackend final : public Backend {
 public:
  explicit LocalBackend(Service& service) : service_(service) {}

  Result<StatementAnswer> execute(const std::string& sql, const PropertyMap& properties, const Variables& variables,
                                  std::optional<std::int64_t>) override {
    settle_before_insert(sql);
    Reply reply = service_.execute({.sql = sql, .properties = properties, .variables = variables});
    last_insert_ms_ = wall_clock_ms();
    StatementAnswer answer;
    for (json::value& entity : reply.entities) answer.entities.push_back(std::move(entity.as_object()));
    if (reply.error) answer.error = reply.error->to_json();
    return answer;
  }

  Status query(const std::string& sql, const PropertyMap& properties, const Variables& variables, RowReceiver& receiver,
               std::optional<std::chrono::milliseconds> limit) override {
    interrupted_ = false;
    // What was inserted before must be visible, also behind other queries.
    service_.wait_until_idle(kSettle);
    QueueSink sink;
    Service::Started started =
        service_.query({.sql = sql, .properties = properties, .variables = variables, .until_end = true}, sink);
    if (started.error) {
      receiver.end(std::nullopt, started.error->to_json());
      return {};
    }
    drain(sink, started.query.get(), receiver, limit);
    started.query.reset();
    return {};
  }

  void interrupt() override { interrupted_ = true; }
  Result<json::object> info() override { return service_.document(Document::info).at("KsqlServerInfo").as_object(); }
  Result<bool> is_valid_property(const std::string& name, std::string& why) override {
    auto problem = service_.check_property(name);
    if (problem) why = problem->message;
    return !problem;
  }

 private:
  /// What a query sees of several sources must not depend on how far it has got: an INSERT into another source than the
  /// one before waits until all queries have taken in what is there, and is later than it.
  void settle_before_insert(const std::string& sql) {
    std::string target;
    try {
      for (const auto& statement : parse(sql))
        if (const auto* insert = statement->as<ast::InsertValues>()) target = insert->target.text;
    } catch (const SqlError&) {
      return;  // the service says what is wrong
    }
    if (target.empty()) return;
    if (!last_target_.empty() && target != last_target_) {
      service_.wait_until_idle(kSettle);
      // A query that starts later takes rows by time: those of two sources must not be of the same millisecond.
      while (wall_clock_ms() <= last_insert_ms_) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    last_target_ = target;
  }
  void drain(QueueSink& sink, RunningQuery* query, RowReceiver& receiver,
             std::optional<std::chrono::milliseconds> limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit.value_or(std::chrono::hours(24 * 365));
    bool header_shown = false;
    MutexLock lock(sink.mutex_);
    while (!interrupted_ && std::chrono::steady_clock::now() < deadline) {
      sink.changed_.wait_for(lock, std::chrono::milliseconds(100), [&]() REQUIRES(sink.mutex_) {
        return !sink.items_.empty() || sink.ended_ || (sink.header_ && !header_shown);
      });
      if (sink.header_ && !std::exchange(header_shown, true) && !sink.header_->text) {
        const json::object raw{
            {"header", json::object{{"queryId", sink.header_->query_id},
                                    {"schema", sink.header_->schema.to_string(!sink.header_->push)}}}};
        receiver.header(sink.header_->query_id, names_of(sink.header_->schema), raw);
      }
      std::deque<QueueSink::Item> items = std::exchange(sink.items_, {});
      const bool resume = std::exchange(sink.full_, false), ended = sink.ended_;
      lock.unlock();
      if (resume && query != nullptr) query->resume();
      for (const QueueSink::Item& item : items)
        if (!(item.line ? receiver.line(item.row) : receiver.row(*harness::parse_json(item.row), item.tombstone)))
          return receiver.end(std::nullopt, std::nullopt);
      lock.lock();
      if (ended && sink.items_.empty()) return receiver.end(sink.message_, sink.error_);
    }
    lock.unlock();
    receiver.end(std::nullopt, std::nullopt);
  }

  Service& service_;
  std::string last_target_;          // of the last INSERT
  std::int64_t last_insert_ms_ = 0;  // no row is later that is there
  std::atomic<bool> interrupted_ = false;
};

}  // namespace

std::unique_ptr<Backend> make_local_backend(Service& service) {
  return std::make_unique<LocalBackend>(service);
}

}  // namespace millrace::inline cli
