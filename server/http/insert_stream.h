#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "parser/error/mutex.h"
#include "server/http/exchange.h"
#include "server/http/media_type.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// One request to /inserts-stream: takes lines as they come, inserts and confirms them row by row. The body comes on
/// the connection's thread, the work is done on those of `run`.
class InsertStream final : public BodyReceiver, public std::enable_shared_from_this<InsertStream> {
 public:
  /// `check` says why nothing may be inserted into that target. `run` does a piece of work on a thread that may wait.
  /// The service is used until `finished` has been called.
  InsertStream(Service& service, std::shared_ptr<Responder> responder, std::optional<std::string> accept,
               std::function<std::optional<ServiceError>(const std::string&)> check,
               std::function<void(std::function<void()>)> run, std::function<void()> finished)
      : service_(service),
        responder_(std::move(responder)),
        accept_(std::move(accept)),
        check_(std::move(check)),
        run_(std::move(run)),
        finished_(std::move(finished)) {}
  ~InsertStream() override { finished_(); }

  void data(std::string_view piece) override;
  void end(bool aborted) override;
  /// Confirms what has come, then ends the stream with an error.
  void shut_down();

 private:
  void schedule();
  void work();
  void take_lines(std::string_view text, bool last);
  /// True when the row was taken.
  bool take_row(std::string_view line);
  bool open(std::string_view line);
  void flush();
  void confirm(std::string text);
  /// Lets the client send on, unless it leaves its acknowledgements unread.
  void consumed(std::size_t bytes);
  void caught_up();
  void fail(const ServiceError& error, std::uint64_t sequence);
  void finish();

  Service& service_;
  const std::shared_ptr<Responder> responder_;
  const std::optional<std::string> accept_;
  const std::function<std::optional<ServiceError>(const std::string&)> check_;
  const std::function<void(std::function<void()>)> run_;
  const std::function<void()> finished_;

  // Of the one thread that works.
  MediaType type_ = MediaType::delimited;
  std::unique_ptr<Inserter> inserter_;
  std::string rest_;  // of a line that is not complete
  std::uint64_t rows_ = 0, confirmed_ = 0;
  bool done_ = false, any_ack_ = false;

  Mutex mutex_;
  std::string arrived_ GUARDED_BY(mutex_);
  std::size_t unread_ GUARDED_BY(mutex_) = 0,
                      withheld_
                      GUARDED_BY(mutex_) = 0;  // acknowledgements that wait; body bytes that are worked off meanwhile
  bool working_ GUARDED_BY(mutex_) = false, complete_ GUARDED_BY(mutex_) = false, aborted_ GUARDED_BY(mutex_) = false,
                shutting_down_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::inline server
