#include "server/http/connection.h"

#include <fmt/format.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

namespace millrace::inline server {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace {

constexpr std::size_t kCongestedBytes = 1 << 20;

std::string_view reason(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

}  // namespace

/// Answers one request of an HTTP/1.1 connection.
class Http1Responder final : public Responder {
 public:
  Http1Responder(std::shared_ptr<Connection> connection, bool keep_alive)
      : connection_(std::move(connection)), keep_alive_(keep_alive) {}
  ~Http1Responder() override {
    // A handler that forgot its answer must not leave the client waiting.
    if (!finished_) connection_->close();
  }

  void respond(int status, std::string_view content_type, std::string_view body, const Headers& headers) override {
    std::string head;
    head.reserve(body.size() + 200);
    fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nContent-Length: {}\r\n", status, reason(status),
                   body.size());
    if (!content_type.empty()) fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\n", content_type);
    for (const auto& [name, value] : headers) fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
    if (!keep_alive_) head += "Connection: close\r\n";
    head += "\r\n";
    head += body;
    finished_ = true;
    connection_->send(head, true);
  }
  void start(std::string_view content_type) override {
    connection_->send(fmt::format("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: {}\r\n{}\r\n",
                                  content_type, keep_alive_ ? "" : "Connection: close\r\n"),
                      false);
    asio::post(connection_->socket_.get_executor(), [connection = connection_] { connection->watch_peer(); });
  }
  bool write(std::string chunk) override {
    return connection_->send(fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk), false);
  }
  void finish() override {
    finished_ = true;
    connection_->send("0\r\n\r\n", true);
  }
  void watch(std::function<void()> drained, std::function<void()> closed) override {
    std::lock_guard lock(connection_->mutex_);
    connection_->on_drained_ = std::move(drained);
    connection_->on_closed_ = std::move(closed);
  }
  void post(std::function<void()> work) override { asio::post(connection_->executor(), std::move(work)); }

 private:
  std::shared_ptr<Connection> connection_;
  const bool keep_alive_;
  std::atomic<bool> finished_ = false;
};

void Connection::start() {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  asio::dispatch(socket_.get_executor(), [self = shared_from_this()] { self->read(); });
}

void Connection::close() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->lost(); });
}

void Connection::read() {
  parser_.emplace();
  parser_->body_limit(max_body_bytes_);
  parser_->header_limit(64 << 10);
  http::async_read(socket_, input_, *parser_,
                   [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                     if (error == http::error::body_limit)
                       return self->answer_and_close(413, "the request body is too large");
                     if (error && error.category() == http::make_error_code(http::error::bad_method).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message)
                       return self->answer_and_close(400, error.message());
                     if (error) return self->lost();
                     self->on_request();
                   });
}

void Connection::answer_and_close(int status, std::string_view message) {
  keep_alive_ = false;
  Http1Responder(shared_from_this(), false)
      .respond(status, "application/json",
               fmt::format(R"({{"@type":"generic_error","error_code":{}00,"message":"{}"}})", status, message), {});
}

void Connection::on_request() {
  auto message = parser_->release();
  keep_alive_ = message.keep_alive();
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  const std::size_t question = std::min(target.find('?'), target.size());
  request.path = std::string(target.substr(0, question));
  request.query = std::string(target.substr(std::min(question + 1, target.size())));
  if (auto accept = message.find(http::field::accept); accept != message.end())
    request.accept = std::string(accept->value());
  request.body = std::move(message.body());
  dispatch_(std::move(request), std::make_shared<Http1Responder>(shared_from_this(), keep_alive_));
}

bool Connection::send(std::string_view text, bool last) {
  bool begin = false, room = true;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return true;
    pending_ += text;
    last_ |= last;
    begin = !std::exchange(writing_, true);
    room = pending_.size() < kCongestedBytes;
    if (!room) congested_ = true;
  }
  if (begin) asio::dispatch(socket_.get_executor(), [self = shared_from_this()] { self->write_some(); });
  return room;
}

void Connection::write_some() {
  do {
    {
      std::lock_guard lock(mutex_);
      active_.clear();
      std::swap(active_, pending_);
    }
    // Mostly the socket has room for all of it.
    boost::system::error_code error;
    const std::size_t sent = socket_.write_some(asio::buffer(active_), error);
    if (error && error != asio::error::would_block) return lost();
    if (error || sent < active_.size()) {
      asio::async_write(socket_, asio::buffer(active_) + (error ? 0 : sent),
                        [self = shared_from_this()](boost::system::error_code failure, std::size_t) {
                          if (failure) return self->lost();
                          if (self->written()) self->write_some();
                        });
      return;
    }
  } while (written());
}

bool Connection::written() {
  std::function<void()> drained;
  bool more = false, done = false;
  {
    std::lock_guard lock(mutex_);
    more = !pending_.empty();
    writing_ = more;
    done = !more && last_;
    if (congested_ && pending_.size() < kCongestedBytes / 2) {
      congested_ = false;
      drained = on_drained_;
    }
  }
  if (drained) drained();
  if (done) finished();
  return more;
}

void Connection::finished() {
  {
    std::lock_guard lock(mutex_);
    last_ = false;
    on_drained_ = nullptr;
    on_closed_ = nullptr;
  }
  if (keep_alive_) return read();
  lost();
}

void Connection::watch_peer() {
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (error) return;
    char byte = 0;
    boost::system::error_code problem;
    const std::size_t got = self->socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, problem);
    // Bytes are a pipelined request, read when this answer is out.
    if (got == 0 && problem != asio::error::would_block) self->lost();
  });
}

void Connection::lost() {
  std::function<void()> closed;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    closed = std::move(on_closed_);
    on_drained_ = nullptr;
  }
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  if (closed) closed();
}

}  // namespace millrace::inline server
