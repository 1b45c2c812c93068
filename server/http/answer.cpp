#include "server/http/answer.h"

#include <boost/asio/post.hpp>

#include "server/http/connection.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kCongestedBytes = 256 << 10;

}  // namespace

Answer::Answer(std::shared_ptr<Connection> connection, std::int32_t id) : id_(id), connection_(std::move(connection)) {}
Answer::~Answer() = default;

std::shared_ptr<Responder> Answer::responder() {
  return {static_cast<Responder*>(this), [self = shared_from_this()](Responder*) { self->abort(); }};
}

template <class Change>
bool Answer::change(Change&& make) {
  std::shared_ptr<Connection> connection;
  bool room = true;
  {
    const std::lock_guard lock(mutex_);
    if (gone_) return true;
    const bool was_finished = finished_ && chunks_.empty();
    make();
    room = waiting_ < kCongestedBytes;
    if (!room) congested_ = true;
    if (was_finished) return room;
    connection = connection_;
  }
  if (connection) connection->wake(shared_from_this());
  return room;
}

void Answer::respond(int status, std::string_view content_type, std::string_view body, const Headers& headers) {
  (void)change([&] {
    if (begun_) return;
    begun_ = finished_ = true;
    head_ = Head{status, std::string(content_type), headers, body.size()};
    if (!body.empty()) chunks_.emplace_back(body);
    waiting_ += body.size();
  });
}

void Answer::start(std::string_view content_type) {
  (void)change([&] {
    begun_ = true;
    head_ = Head{200, std::string(content_type), {}, std::nullopt};
  });
}

bool Answer::write(std::string chunk) {
  if (chunk.empty()) return true;
  return change([&] {
    waiting_ += chunk.size();
    chunks_.push_back(std::move(chunk));
  });
}

void Answer::finish() {
  (void)change([&] { finished_ = true; });
}

void Answer::abort() {
  (void)change([&] {
    if (!finished_) aborted_ = finished_ = true;
  });
}

void Answer::watch(std::function<void()> drained, std::function<void()> closed) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      on_drained_ = std::move(drained);
      on_closed_ = std::move(closed);
      return;
    }
  }
  closed();
}

void Answer::post(std::function<void()> work) {
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    connection = connection_;
  }
  if (connection) boost::asio::post(connection->executor(), std::move(work));
}

void Answer::consumed(std::size_t bytes) {
  (void)change([&] { consumed_ += bytes; });
}

std::optional<Answer::Head> Answer::take_head() {
  const std::lock_guard lock(mutex_);
  return std::exchange(head_, std::nullopt);
}

bool Answer::begun() {
  const std::lock_guard lock(mutex_);
  return begun_;
}

std::optional<std::string> Answer::take_chunk(bool& end) {
  std::function<void()> drained;
  std::optional<std::string> chunk;
  {
    const std::lock_guard lock(mutex_);
    if (!chunks_.empty()) {
      chunk = std::move(chunks_.front());
      chunks_.pop_front();
      waiting_ -= chunk->size();
    }
    end = finished_ && chunks_.empty() && !aborted_;
    if (congested_ && waiting_ < kCongestedBytes / 2) {
      congested_ = false;
      drained = on_drained_;
    }
  }
  if (drained) drained();
  return chunk;
}

void Answer::put_back(std::string rest) {
  const std::lock_guard lock(mutex_);
  waiting_ += rest.size();
  chunks_.push_front(std::move(rest));
}

std::size_t Answer::next_size() {
  const std::lock_guard lock(mutex_);
  return chunks_.empty() ? 0 : chunks_.front().size();
}

std::size_t Answer::take_consumed() {
  const std::lock_guard lock(mutex_);
  return std::exchange(consumed_, 0);
}

bool Answer::is_aborted() {
  const std::lock_guard lock(mutex_);
  return aborted_;
}

void Answer::gone() {
  std::function<void()> closed, drained;  // what they keep alive may come back here: they go without the lock
  std::shared_ptr<Connection> connection;
  std::deque<std::string> chunks;
  bool complete = false;
  {
    const std::lock_guard lock(mutex_);
    if (gone_) return;
    gone_ = true;
    complete = finished_ && !aborted_ && chunks_.empty();
    connection = std::move(connection_);
    drained = std::move(on_drained_);
    closed = std::move(on_closed_);
    chunks = std::move(chunks_);
  }
  if (closed && !complete) closed();
}

}  // namespace millrace::inline server
