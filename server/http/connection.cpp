#include "server/http/connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "parser/error/mutex.h"
#include "server/http/http1.h"
#include "server/http/http2.h"

namespace millrace::inline server {
namespace asio = boost::asio;
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::chrono::seconds kLingering{2};

}  // namespace

Connection::Connection(Socket socket, ConnectionContext& context, std::vector<char>& read_buffer,
                       const TlsContextPtr& tls)
    : executor_(socket.get_executor()), socket_(std::move(socket)), context_(context), read_buffer_(read_buffer) {
  if (tls) tls_ = std::make_unique<TlsSession>(tls);
}

void Connection::start() {
  boost::system::error_code ignored;
  socket_->non_blocking(true, ignored);
  const auto peer = socket_->remote_endpoint(ignored);
  peer_ = peer.address().to_string(ignored);
  since_ = Protocol::Clock::now();
  read();
}

void Connection::read() {
  if (!socket_ || reading_ || !read_wanted_ || offline_) return;
  reading_ = true;
  socket_->async_read_some(asio::buffer(first_bytes_),
                           [self = shared_from_this()](boost::system::error_code error, std::size_t got) {
                             self->reading_ = false;
                             if (!self->socket_ || error == asio::error::operation_aborted) return;
                             if (!error) return self->on_read({self->first_bytes_.data(), got});
                             if (error != asio::error::eof || self->shut_ || !self->protocol_) return self->lost();
                             self->protocol_->end_of_input();
                             self->pump();
                           });
}

void Connection::on_read(std::string_view bytes) {
  if (bytes.size() == first_bytes_.size()) {
    std::ranges::copy(bytes, read_buffer_.begin());
    boost::system::error_code none_yet;  // an error comes again with the next read
    const std::size_t more = socket_->read_some(asio::buffer(read_buffer_) + bytes.size(), none_yet);
    bytes = {read_buffer_.data(), bytes.size() + more};
  }
  received(bytes);
  read();
}

void Connection::received(std::string_view bytes) {
  if (closing_) return;  // what a peer still sends is of no interest
  pumping_ = std::this_thread::get_id();
  if (tls_)
    decrypt(bytes);
  else
    plain(bytes);
  replaced_.reset();
  pump();
}

void Connection::decrypt(std::string_view bytes) {
  std::string text;
  const bool healthy = tls_->receive(bytes, text, out_);
  if (!text.empty()) {
    if (!protocol_ && greeting_.empty()) {
      if (tls_->protocol() == "h2") protocol_ = make_http2(*this);
    }
    plain(text);
  }
  if (!healthy) {
    if (protocol_ && tls_->ended())
      protocol_->end_of_input();
    else
      close_when_sent();
  }
}

void Connection::plain(std::string_view bytes) {
  if (protocol_) return protocol_->receive(bytes);
  greeting_ += bytes;
  const std::size_t known = std::min(greeting_.size(), kPreface.size());
  if (std::string_view(greeting_).substr(0, known) != kPreface.substr(0, known))
    protocol_ = make_http1(*this);
  else if (known == kPreface.size())
    protocol_ = make_http2(*this);
  else
    return;
  const std::string first = std::exchange(greeting_, {});
  protocol_->receive(first);
}

void Connection::become(std::unique_ptr<Protocol> protocol, std::string_view rest) {
  replaced_ = std::exchange(protocol_, std::move(protocol));
  protocol_->receive(rest);
}

void Connection::wake(std::shared_ptr<Answer> answer) {
  if (pumping_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    own_woken_.push_back(std::move(answer));
    return;
  }
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    woken_.push_back(std::move(answer));
    if (any_woken_.exchange(true)) return;
  }
  asio::post(executor_, [self = shared_from_this()] { self->pump(); });
}

/// Moves the answers that were woken to pumped_. False: there are none.
bool Connection::take_woken() {
  pumped_.clear();
  pumped_.swap(own_woken_);
  if (!any_woken_) return !pumped_.empty();
  const MutexLock lock(mutex_);
  pumped_.insert(pumped_.end(), std::move_iterator(woken_.begin()), std::move_iterator(woken_.end()));
  woken_.clear();
  any_woken_ = false;
  return !pumped_.empty();
}

void Connection::pump() {
  pumping_ = std::this_thread::get_id();
  do {
    if (take_woken() && protocol_) protocol_->pump(pumped_);
    pumped_.clear();
    flush();
  } while (!own_woken_.empty());
  pumping_ = std::thread::id();
}

void Connection::drain() {
  asio::post(executor_, [self = shared_from_this()] {
    if (!self->socket_) return;
    if (!self->protocol_) return self->lost();
    self->protocol_->drain();
    self->flush();
  });
}

void Connection::close() {
  asio::post(executor_, [self = shared_from_this()] { self->lost(); });
}

void Connection::send(std::string_view bytes) {
  if (tls_)
    tls_->send(bytes, out_);
  else
    out_ += bytes;
}

void Connection::read_more(bool wanted) {
  read_wanted_ = wanted;
  if (wanted) read();
}

void Connection::offline(std::unique_ptr<Protocol> protocol) {
  offline_ = true;
  protocol_ = std::move(protocol);
}

void Connection::flush() {
  if (offline_) sent_ = out_.size();
  while (socket_ && !writing_ && sent_ < out_.size()) {
    boost::system::error_code error;
    sent_ += socket_->write_some(asio::buffer(out_) + sent_, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      writing_ = true;
      socket_->async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code failure) {
        self->writing_ = false;
        if (failure) return self->lost();
        self->flush();
      });
      return;
    }
    if (error) return lost();
    if (sent_ < out_.size()) continue;
    out_.clear();
    sent_ = 0;
    constexpr std::size_t kKeptBytes = 64 << 10;
    if (out_.capacity() > kKeptBytes) out_.shrink_to_fit();
    if (protocol_ && !closing_) protocol_->writable();
  }
  if (closing_ && sent_ == out_.size()) finish_closing();
}

void Connection::close_when_sent() {
  if (closing_) return;
  closing_ = true;
  if (tls_) tls_->end(out_);
  if (protocol_) protocol_->lost();
}

/// A socket that is closed with unread input sends a reset, which may overtake the answer: the peer gets a moment to
/// end its side.
void Connection::finish_closing() {
  if (!socket_ || shut_) return;
  shut_ = true;
  since_ = Protocol::Clock::now();
  boost::system::error_code ignored;
  socket_->shutdown(Socket::shutdown_send, ignored);
  read_more(true);
}

void Connection::tick(Protocol::Clock::time_point now) {
  if (!socket_) return;
  if (shut_ && now - since_ > kLingering) return lost();
  if (!protocol_ && now - since_ > context_.limits.request_time) return lost();
  if (protocol_ && !closing_) {
    protocol_->tick(now);
    flush();
  } else if (closing_ && !shut_ && now - since_ > context_.limits.request_time) {
    lost();
  }
}

void Connection::lost() {
  if (!socket_) return;
  const auto self = shared_from_this();
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    woken_.clear();
    any_woken_ = false;
  }
  own_woken_.clear();
  boost::system::error_code ignored;
  socket_->shutdown(Socket::shutdown_both, ignored);
  socket_->close(ignored);
  socket_.reset();
  out_.clear();
  sent_ = 0;
  if (protocol_) protocol_->lost();
  context_.forget(self);
}

}  // namespace millrace::inline server
