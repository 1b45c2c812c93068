#include "server/http/answer.h"

#include <boost/asio/post.hpp>

#include "parser/error/mutex.h"
#include "server/http/connection.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kCongestedBytes = 256 << 10;
constexpr std::size_t kKeptBytes = 16 << 10;

}  // namespace

Answer::Answer(std::shared_ptr<Connection> connection, std::int32_t id) : id_(id), connection_(std::move(connection)) {}
Answer::~Answer() = default;

void Answer::renew(std::shared_ptr<Connection> connection) {
  const MutexLock lock(mutex_);  // sees what other threads did to it last
  connection_ = std::move(connection);
  begun_ = finished_ = has_head_ = broken_ = aborted_ = gone_ = congested_ = false;
  whole_.clear();
  if (whole_.capacity() > kKeptBytes) whole_.shrink_to_fit();
  chunks_.clear();
  extra_.clear();
  waiting_ = consumed_ = 0;
  on_drained_ = on_closed_ = nullptr;
}

std::shared_ptr<Responder> Answer::responder() {
  return {static_cast<Responder*>(this), [self = shared_from_this()](Responder*) { self->abort(); }};
}

template <class Change>
bool Answer::change(Change&& make) {
  std::shared_ptr<Connection> connection;
  bool room = true;
  {
    const MutexLock lock(mutex_);
    if (gone_) return true;
    const bool was_finished = finished_ && none_waits();
    make();
    room = waiting_ < kCongestedBytes;
    if (!room) congested_ = true;
    if (was_finished) return room;
    connection = connection_;
  }
  if (connection) connection->wake(shared_from_this());
  return room;
}

void Answer::add_header(std::string name, std::string value) {
  const MutexLock lock(mutex_);
  extra_.emplace_back(std::move(name), std::move(value));
}

void Answer::respond(int status, std::string_view content_type, std::string_view body, const Headers& headers) {
  (void)change([&]() REQUIRES(mutex_) {
    if (begun_) return;
    begun_ = finished_ = has_head_ = true;
    head_.status = status;
    head_.content_type = content_type;
    head_.headers = headers;
    head_.headers.insert(head_.headers.end(), extra_.begin(), extra_.end());
    head_.length = body.size();
    whole_ = body;
    waiting_ += body.size();
  });
}

void Answer::start(std::string_view content_type) {
  (void)change([&]() REQUIRES(mutex_) {
    begun_ = has_head_ = true;
    head_ = Head{200, std::string(content_type), extra_, std::nullopt};
  });
}

bool Answer::write(std::string chunk) {
  if (chunk.empty()) return true;
  return change([&]() REQUIRES(mutex_) {
    waiting_ += chunk.size();
    chunks_.push_back(std::move(chunk));
  });
}

void Answer::finish() {
  (void)change([&]() REQUIRES(mutex_) { finished_ = true; });
}

void Answer::break_off() {
  (void)change([&]() REQUIRES(mutex_) { broken_ = finished_ = true; });
}

void Answer::abort() {
  if (finished_) return;
  (void)change([&]() REQUIRES(mutex_) {
    if (!finished_) aborted_ = finished_ = true;
  });
}

void Answer::watch(std::function<void()> drained, std::function<void()> closed) {
  {
    const MutexLock lock(mutex_);
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
    const MutexLock lock(mutex_);
    connection = connection_;
  }
  if (connection) boost::asio::post(connection->executor(), std::move(work));
}

void Answer::consumed(std::size_t bytes) {
  (void)change([&]() REQUIRES(mutex_) { consumed_ += bytes; });
}

std::optional<Answer::Head> Answer::take_head() {
  const MutexLock lock(mutex_);
  if (!std::exchange(has_head_, false)) return std::nullopt;
  return std::move(head_);
}

std::optional<std::string> Answer::pop_chunk() {
  if (none_waits()) return std::nullopt;
  std::string chunk;
  if (!whole_.empty()) {
    chunk.swap(whole_);
  } else {
    chunk = std::move(chunks_.front());
    chunks_.pop_front();
  }
  waiting_ -= chunk.size();
  return chunk;
}

std::optional<std::string> Answer::take_chunk(bool& end) {
  std::function<void()> drained;
  std::optional<std::string> chunk;
  {
    const MutexLock lock(mutex_);
    chunk = pop_chunk();
    end = finished_ && none_waits() && !aborted_;
    if (congested_ && waiting_ < kCongestedBytes / 2) {
      congested_ = false;
      drained = on_drained_;
    }
  }
  if (drained) drained();
  return chunk;
}

void Answer::take(Part& part, bool chunk_wanted) {
  std::function<void()> drained;
  part.chunk.clear();
  part.end = false;
  {
    const MutexLock lock(mutex_);
    part.has_head = std::exchange(has_head_, false);
    if (part.has_head) std::swap(part.head, head_);
    part.aborted = aborted_;
    part.consumed = std::exchange(consumed_, 0);
    if (aborted_ || !chunk_wanted) return;
    if (!whole_.empty()) {
      part.chunk.swap(whole_);
      waiting_ -= part.chunk.size();
    } else if (auto chunk = pop_chunk()) {
      part.chunk = std::move(*chunk);
    }
    part.end = finished_ && none_waits();
    part.broken = broken_;
    if (congested_ && waiting_ < kCongestedBytes / 2) {
      congested_ = false;
      drained = on_drained_;
    }
  }
  if (drained) drained();
}

std::size_t Answer::take_consumed() {
  const MutexLock lock(mutex_);
  return std::exchange(consumed_, 0);
}

bool Answer::is_broken() {
  const MutexLock lock(mutex_);
  return broken_;
}

bool Answer::is_aborted() {
  const MutexLock lock(mutex_);
  return aborted_;
}

void Answer::gone() {
  std::function<void()> closed, drained;  // what they keep alive may come back here: they go without the lock
  std::shared_ptr<Connection> connection;
  std::list<std::string> chunks;
  bool complete = false;
  {
    const MutexLock lock(mutex_);
    if (gone_) return;
    gone_ = true;
    complete = finished_ && !aborted_ && none_waits();
    connection = std::move(connection_);
    drained = std::move(on_drained_);
    closed = std::move(on_closed_);
    chunks = std::move(chunks_);
  }
  if (closed && !complete) closed();
}

}  // namespace millrace::inline server
