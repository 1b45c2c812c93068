#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/data/aged_cache.h"
#include "exec/runtime/engine.h"
#include "parser/error/mutex.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// All rows of a pull query that is answered in pages.
struct PagedAnswer {
  std::string text;  // of the request
  QueryHeader header;
  std::vector<Batch> rows;
  std::size_t count = 0;  // of them
  std::size_t bytes = 0;
};

/// Takes all rows of a pull query, as long as they fit.
class CollectingSink final : public ResultSink {
 public:
  /// `out` takes part in the server's limits.
  CollectingSink(ResultSink& out, std::size_t most_bytes) : out_(out), most_bytes_(most_bytes) {}

  void keep(std::shared_ptr<QueryPermit> permit) override { out_.keep(std::move(permit)); }
  void begin(const QueryHeader& header) override { answer_.header = header; }
  bool rows(const Batch& batch) override;
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string>, std::optional<ServiceError> error) override { error_ = std::move(error); }

  /// Once it has ended.
  const std::optional<ServiceError>& error() const { return error_; }
  PagedAnswer& answer() { return answer_; }

 private:
  ResultSink& out_;
  const std::size_t most_bytes_;
  PagedAnswer answer_;
  std::optional<ServiceError> error_;
  bool full_ = false;
};

/// Answers of which further pages may be asked for, each for a while after it was asked for last, all of them within a
/// number of bytes: the oldest go first. Thread-safe.
class PullPages {
 public:
  PullPages(std::chrono::milliseconds kept_for, std::size_t most_bytes) : kept_for_(kept_for), kept_(most_bytes) {}

  using AnswerPtr = std::shared_ptr<const PagedAnswer>;
  /// A token for the rows of the answer from `first` on.
  std::string put(const AnswerPtr& answer, std::size_t first);
  struct Place {
    AnswerPtr answer;
    std::size_t first = 0;
    std::string id;
  };
  /// Nothing: the token has expired, or is of another text.
  std::optional<Place> find(const std::string& token, const std::string& text);
  static std::string token(const std::string& id, std::size_t first);
  /// Forgets what nobody has asked for in time.
  void forget_old();
  std::chrono::milliseconds kept_for() const { return kept_for_; }
  /// Keeps what will call forget_old.
  void set_timer(std::shared_ptr<void> timer) {
    const MutexLock lock(mutex_);
    timer_ = std::move(timer);
  }

 private:
  const std::chrono::milliseconds kept_for_;
  Mutex mutex_;
  AgedCache<std::pair<std::string, std::string>, AnswerPtr> kept_ GUARDED_BY(mutex_);  // by id and text
  std::shared_ptr<void> timer_ GUARDED_BY(mutex_);
};

/// Whether a request wants a page of its rows.
bool is_paged(const Request& request);
/// Some of an answer's rows.
std::shared_ptr<TableRows> page_rows(const PagedAnswer& answer, std::size_t first, std::size_t count);

}  // namespace millrace::inline server
