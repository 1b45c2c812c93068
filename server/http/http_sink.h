#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "parser/error/mutex.h"
#include "server/http/exchange.h"
#include "server/http/live_streams.h"
#include "server/http/query_ender.h"
#include "server/http/row_writer.h"
#include "server/http/slow_request.h"
#include "server/http/user_rates.h"

namespace millrace::inline server {

struct SinkTerms {
  SlowRequest slow;
  std::shared_ptr<UserRates> rates;  // null: none
  std::string who;
  std::int64_t pull_rows = 0;  // 0: any number
};

/// Rows of one query on their way to one client. Keeps the running query until it has ended or the client has gone.
class HttpSink final : public ResultSink, public std::enable_shared_from_this<HttpSink> {
 public:
  HttpSink(std::shared_ptr<Responder> responder, MediaType type, QueryEnder& ender, LiveStreams& streams,
           SinkTerms terms)
      : responder_(std::move(responder)), type_(type), ender_(ender), streams_(streams), terms_(std::move(terms)) {}
  ~HttpSink() override { streams_.remove(stream_); }

  void keep(std::shared_ptr<QueryPermit> permit) override { share_ = std::move(permit); }
  void begin(const QueryHeader& header) override;
  bool rows(const Batch& batch) override;
  void token(const std::string& token) override;
  bool line(std::string_view text) override;
  void end(std::optional<std::string> message, std::optional<ServiceError> error) override;

  /// Takes the query that feeds this sink; it is cancelled when the client goes away.
  void own(std::unique_ptr<RunningQuery> query);
  /// Answers with an error that came before the first row.
  void fail(const ServiceError& error);

 private:
  void watch();
  /// False: the client is full.
  bool send(std::string text);
  void refuse(const ServiceError& error);
  bool take_row(const Batch& batch, std::size_t row);
  bool is_closed();
  void release(std::function<void()> then = [] {});
  void shut_down();

  std::shared_ptr<Responder> responder_;
  const MediaType type_;
  QueryEnder& ender_;
  LiveStreams& streams_;
  const SinkTerms terms_;
  std::shared_ptr<const void> permit_;  // of a push query
  std::shared_ptr<QueryPermit> share_;  // of the server's limits; null: there are none
  std::int64_t given_ = 0;              // rows
  std::uint64_t stream_ = 0;
  std::unique_ptr<RowWriter> writer_;
  bool push_ = false;
  bool apart_ = false;  // each row in a chunk of its own
  bool started_ = false;
  std::string buffer_;     // pull: what was not sent yet
  std::size_t taken_ = 0;  // rows of the batch that comes again

  std::atomic<std::uint64_t> drains_{0};  // times the client has caught up; written with the lock
  std::atomic<bool> answered_ = false;
  Mutex mutex_;
  bool paused_ GUARDED_BY(mutex_) = false, closed_ GUARDED_BY(mutex_) = false, ended_ GUARDED_BY(mutex_) = false,
               shutting_down_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<RunningQuery> query_ GUARDED_BY(mutex_);
};

/// The rows of one quick query: all of them in one answer.
class QuickSink final : public QuickAnswer, private ResultSink {
 public:
  QuickSink(std::shared_ptr<Responder> responder, MediaType type, SlowRequest slow, std::int64_t most_rows)
      : responder_(std::move(responder)), type_(type), slow_(std::move(slow)), most_rows_(most_rows) {}

  ResultSink& sink() override { return *this; }
  void fail(const ServiceError& error) override;
  void later(std::function<void()> work) override { responder_->post(std::move(work)); }

 private:
  void keep(std::shared_ptr<QueryPermit> permit) override { share_ = std::move(permit); }
  void begin(const QueryHeader& header) override;
  bool rows(const Batch& batch) override;
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string> message, std::optional<ServiceError> error) override;

  std::shared_ptr<Responder> responder_;
  const MediaType type_;
  const SlowRequest slow_;
  const std::int64_t most_rows_;  // 0: any number
  std::int64_t given_ = 0;
  std::shared_ptr<QueryPermit> share_;
  std::unique_ptr<RowWriter> writer_;
  std::string text_;
};

}  // namespace millrace::inline server
