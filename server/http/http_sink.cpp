#include "server/http/http_sink.h"

#include <thread>

namespace millrace::inline server {
namespace {

constexpr std::size_t kPullFlushBytes = 64 << 10;
constexpr std::chrono::seconds kSlowestClient{60};

}  // namespace

void HttpSink::watch() {
  std::weak_ptr<HttpSink> weak = weak_from_this();
  responder_->watch(
      [weak] {
        auto self = weak.lock();
        if (!self) return;
        std::shared_ptr<RunningQuery> query;
        {
          std::lock_guard lock(self->mutex_);
          self->paused_ = false;
          ++self->drains_;
          query = self->query_;
        }
        self->changed_.notify_all();
        if (query) query->resume();
      },
      // The connection keeps the sink until the answer is out or the client has gone.
      [self = shared_from_this()] {
        {
          std::lock_guard lock(self->mutex_);
          self->closed_ = true;
        }
        self->changed_.notify_all();
        self->release();
      });
}

void HttpSink::begin(const QueryHeader& header) {
  push_ = header.push;
  if (header.text) {
    watch();
    responder_->start(media_type_name(type_));
    started_ = true;
    return;
  }
  writer_ = make_row_writer(type_, !push_);
  watch();
  if (!push_) {
    writer_->header(header, buffer_);
    return;
  }
  std::string text;
  writer_->header(header, text);
  responder_->start(media_type_name(type_));
  started_ = true;
  send(std::move(text));
}

void HttpSink::send(std::string text) {
  if (text.empty()) return;
  const std::uint64_t before = drains_.load(std::memory_order_acquire);
  if (responder_->write(std::move(text))) return;
  std::lock_guard lock(mutex_);
  // The client may have caught up already, and nobody would tell that again.
  if (drains_ == before) paused_ = true;
}

bool HttpSink::rows(const Batch& batch) {
  if (push_) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return true;
      if (paused_) return false;
    }
    std::string text;
    // Clients read each chunk as one document.
    for (std::size_t row = 0; row < batch.rows; ++row) {
      text.clear();
      writer_->row(batch, row, text);
      send(std::move(text));
    }
    return true;
  }
  for (std::size_t row = 0; row < batch.rows; ++row) writer_->row(batch, row, buffer_);
  if (buffer_.size() < kPullFlushBytes) return true;
  if (!started_) responder_->start(media_type_name(type_));
  started_ = true;
  send(std::exchange(buffer_, {}));
  wait_drained();
  return true;
}

bool HttpSink::line(std::string_view text) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return true;
    if (paused_) return false;
  }
  std::string out(text);
  out += '\n';
  send(std::move(out));
  return true;
}

void HttpSink::wait_drained() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kSlowestClient, [&] { return !paused_ || closed_; });
}

void HttpSink::end(std::optional<std::string> message, std::optional<ServiceError> error) {
  const auto self = shared_from_this();  // the connection lets go of it once the answer is out
  if (writer_) {
    if (push_) {
      std::string text;
      writer_->end(message, error, text);
      // The closing bracket goes in a write of its own.
      if (type_ == MediaType::v1 && text.size() > 1) {
        send(text.substr(0, text.size() - 1));
        send("]");
      } else {
        send(std::move(text));
      }
    } else {
      writer_->end(message, error, buffer_);
    }
  }
  if (started_) {
    if (!buffer_.empty()) send(std::exchange(buffer_, {}));
    responder_->finish();
  } else {
    responder_->respond(200, media_type_name(type_), buffer_);
  }
  release();
}

void HttpSink::own(std::unique_ptr<RunningQuery> query) {
  std::shared_ptr<RunningQuery> owned;
  {
    std::lock_guard lock(mutex_);
    query_ = std::move(query);
    owned = query_;
    if (closed_ || ended_) owned = nullptr;
  }
  // The client may have taken rows, and waits for more, while nobody owned the query yet.
  if (owned) return owned->resume();
  release();
}

void HttpSink::release() {
  std::shared_ptr<RunningQuery> query;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    query = std::move(query_);
  }
  if (!query) return;
  // Destroying a query waits for its callbacks, and this may be one; the thread also keeps the sink alive until then.
  std::thread([query = std::move(query), self = shared_from_this()]() mutable { query.reset(); }).detach();
}

void HttpSink::fail(const ServiceError& error) {
  responder_->respond(error.code / 100, "application/json", boost::json::serialize(error.to_json()));
}

void QuickSink::fail(const ServiceError& error) {
  responder_->respond(error.code / 100, "application/json", boost::json::serialize(error.to_json()));
}

void QuickSink::begin(const QueryHeader& header) {
  writer_ = make_row_writer(type_, true);
  writer_->header(header, text_);
}

bool QuickSink::rows(const Batch& batch) {
  for (std::size_t row = 0; row < batch.rows; ++row) writer_->row(batch, row, text_);
  return true;
}

void QuickSink::end(std::optional<std::string> message, std::optional<ServiceError> error) {
  writer_->end(message, error, text_);
  responder_->respond(200, media_type_name(type_), text_);
}

}  // namespace millrace::inline server
