#include "server/http/http_sink.h"

#include "parser/error/mutex.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kPullFlushBytes = 64 << 10;

ServiceError too_many_rows(std::int64_t most) {
  return service_error(kTooLarge, "The result has more than " + std::to_string(most) +
                                      " rows: ask for fewer (WHERE, LIMIT), or raise millrace.pull.max.rows");
}

void respond_error(Responder& responder, const ServiceError& error) {
  Responder::Headers headers;
  if (error.code / 100 == 503) headers.emplace_back("Retry-After", "1");
  responder.respond(error.code / 100, "application/json", boost::json::serialize(error.to_json()), headers);
}

}  // namespace

void HttpSink::watch() {
  std::weak_ptr<HttpSink> weak = weak_from_this();
  responder_->watch(
      [weak] {
        auto self = weak.lock();
        if (!self) return;
        std::shared_ptr<RunningQuery> query;
        {
          const MutexLock lock(self->mutex_);
          self->paused_ = false;
          ++self->drains_;
          query = self->query_;
        }
        if (query) query->resume();
      },
      // The connection keeps the sink until the answer is out or the client has gone.
      [self = shared_from_this()] {
        {
          const MutexLock lock(self->mutex_);
          self->closed_ = true;
        }
        self->release();
      });
}

void HttpSink::begin(const QueryHeader& header) {
  push_ = header.push;
  if (auto refused = layout_refusal(type_, header)) return refuse(*refused);
  if (push_ && terms_.rates) {
    permit_ = terms_.rates->begin_push(terms_.who);
    if (!permit_) return refuse(service_error(kTooManyPushQueries, "Maximum number of push queries exceeded"));
  }
  apart_ = push_ || type_ == MediaType::frames;
  watch();
  if (!header.text) writer_ = make_row_writer(type_, !push_);
  if (!apart_) {
    writer_->header(header, buffer_);
    return;
  }
  responder_->start(media_type_name(type_));
  started_ = true;
  std::string text;
  if (writer_) writer_->header(header, text);
  // Before the client knows the query's id, by which it may be ended.
  if (push_)
    stream_ = streams_.add(
        [weak = weak_from_this()] {
          if (auto self = weak.lock()) self->shut_down();
        },
        header.query_id, terms_.who);
  send(std::move(text));
}

/// Answers with an error instead of rows; those that come are passed over.
void HttpSink::refuse(const ServiceError& error) {
  answered_ = true;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  fail(error);
}

bool HttpSink::send(std::string text) {
  if (text.empty()) return true;
  if (share_) share_->sent(text.size());
  const std::uint64_t before = drains_.load(std::memory_order_acquire);
  if (responder_->write(std::move(text))) return true;
  const MutexLock lock(mutex_);
  // The client may have caught up already, and nobody would tell that again.
  if (drains_ == before) paused_ = true;
  return !paused_;
}

bool HttpSink::rows(const Batch& batch) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return push_;  // a client that has gone asks a table for no more
    if (paused_) return false;
  }
  if (!push_ && terms_.pull_rows > 0 && given_ + static_cast<std::int64_t>(batch.rows - taken_) > terms_.pull_rows) {
    const auto self = shared_from_this();  // the connection lets go of it once the answer is out
    const ServiceError error = too_many_rows(terms_.pull_rows);
    if (started_) {
      end(std::nullopt, error);
      const MutexLock lock(mutex_);
      closed_ = true;
    } else {
      refuse(error);
      release();
    }
    return false;
  }
  // A client that is full in the middle of a batch gets the rest when the batch comes again.
  given_ += static_cast<std::int64_t>(batch.rows - taken_);
  while (taken_ < batch.rows)
    if (!take_row(batch, taken_++) && taken_ < batch.rows) return false;
  taken_ = 0;
  return true;
}

bool HttpSink::take_row(const Batch& batch, std::size_t row) {
  if (apart_) {
    // Clients read each chunk as one document.
    std::string text;
    writer_->row(batch, row, text);
    return send(std::move(text));
  }
  writer_->row(batch, row, buffer_);
  if (buffer_.size() < kPullFlushBytes) return true;
  if (!started_) responder_->start(media_type_name(type_));
  started_ = true;
  return send(std::exchange(buffer_, {}));
}

void HttpSink::token(const std::string& token) {
  if (is_closed()) return;
  if (!apart_) return writer_->token(token, buffer_);
  std::string text;
  writer_->token(token, text);
  send(std::move(text));
}

bool HttpSink::line(std::string_view text) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return true;
    if (paused_) return false;
  }
  std::string out(text);
  out += '\n';
  send(std::move(out));
  return true;
}

bool HttpSink::is_closed() {
  const MutexLock lock(mutex_);
  return closed_;
}

void HttpSink::end(std::optional<std::string> message, std::optional<ServiceError> error) {
  if (answered_.exchange(true)) return;
  if (!push_) terms_.slow.over();
  const auto self = shared_from_this();  // the connection lets go of it once the answer is out
  // What is not whole must not look like it: before something has gone out it is a status, afterwards there is no end.
  const bool part = error && !push_ && !apart_;
  if (part && !started_) {
    fail(*error);
    return release();
  }
  if (writer_) {
    if (apart_) {
      std::string text;
      writer_->end(message, error, text);
      // The closing bracket goes in a write of its own.
      if ((type_ == MediaType::v1 || type_ == MediaType::protobuf) && text.size() > 1) {
        send(text.substr(0, text.size() - 1));
        send("]");
      } else {
        send(std::move(text));
      }
    } else {
      writer_->end(message, error, buffer_);
    }
  }
  if (!started_) {
    if (share_) share_->sent(buffer_.size());
    responder_->respond(200, media_type_name(type_), buffer_);
  } else if (push_ || !is_closed()) {
    if (!buffer_.empty()) send(std::exchange(buffer_, {}));
    if (part)
      responder_->break_off();
    else
      responder_->finish();
  } else {
    responder_->abort();
  }
  release();
}

void HttpSink::own(std::unique_ptr<RunningQuery> query) {
  std::shared_ptr<RunningQuery> owned;
  bool shutting_down = false;
  {
    const MutexLock lock(mutex_);
    query_ = std::move(query);
    owned = query_;
    if (closed_ || ended_) owned = nullptr;
    shutting_down = shutting_down_;
  }
  if (shutting_down) return shut_down();
  // The client may have taken rows, and waits for more, while nobody owned the query yet.
  if (owned) return owned->resume();
  release();
}

void HttpSink::release(std::function<void()> then) {
  std::shared_ptr<RunningQuery> query;
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    query = std::move(query_);
  }
  // The sink lives until its query has made the last call.
  if (query) ender_.end(std::move(query), [self = shared_from_this(), then = std::move(then)] { then(); });
}

void HttpSink::shut_down() {
  {
    const MutexLock lock(mutex_);
    shutting_down_ = true;
  }
  release([self = shared_from_this()] {
    self->end(std::nullopt, ServiceError{.code = kStopping,
                                         .message = "The server is shutting down",
                                         .statement = {},
                                         .span = {},
                                         .hint = {},
                                         .entities = {}});
  });
}

void HttpSink::fail(const ServiceError& error) {
  respond_error(*responder_, error);
}

void QuickSink::fail(const ServiceError& error) {
  respond_error(*responder_, error);
}

void QuickSink::begin(const QueryHeader& header) {
  if (auto refused = layout_refusal(type_, header)) return fail(*refused);
  writer_ = make_row_writer(type_, true);
  writer_->header(header, text_);
}

bool QuickSink::rows(const Batch& batch) {
  if (!writer_) return true;  // refused
  given_ += static_cast<std::int64_t>(batch.rows);
  for (std::size_t row = 0; row < batch.rows; ++row) writer_->row(batch, row, text_);
  return true;
}

void QuickSink::end(std::optional<std::string> message, std::optional<ServiceError> error) {
  if (!writer_) return;
  slow_.over();
  if (most_rows_ > 0 && given_ > most_rows_) return fail(too_many_rows(most_rows_));
  if (error) return fail(*error);
  writer_->end(message, error, text_);
  if (share_) share_->sent(text_.size());
  responder_->respond(200, media_type_name(type_), text_);
}

}  // namespace millrace::inline server
