#include "server/http/peer_line.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace millrace::inline server {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kConnectWait{2};
constexpr std::chrono::seconds kAnswerWait{5};
constexpr std::size_t kPieceSize = 64 << 10;

}  // namespace

/// TCP, with TLS over it or without.
struct PeerLine::Stream {
  explicit Stream(asio::io_context& io) : tcp(io) {}
  using executor_type = asio::ip::tcp::socket::executor_type;
  executor_type get_executor() { return tcp.get_executor(); }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return tls ? tls->async_read_some(buffers, std::forward<Token>(token))
               : tcp.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return tls ? tls->async_write_some(buffers, std::forward<Token>(token))
               : tcp.async_write_some(buffers, std::forward<Token>(token));
  }

  asio::ip::tcp::socket tcp;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls;
};

PeerLine::PeerLine(asio::io_context& io, std::string address, asio::ssl::context& tls, const std::string& authorization)
    : io_(io), address_(std::move(address)), parts_(parse_peer_address(address_)), tls_(tls) {
  fields_ = "Host: " + parts_.host + ":" + parts_.port + "\r\nContent-Type: application/octet-stream\r\n";
  if (!authorization.empty()) fields_ += "Authorization: " + authorization + "\r\n";
  fields_ += "Content-Length: ";
}

PeerLine::~PeerLine() = default;

Error PeerLine::failure(const std::string& why) const {
  return unavailable_error("the process at {} does not answer: {}", address_, late_ ? "not in time" : why);
}

void PeerLine::expect_within(std::chrono::milliseconds wait) {
  deadline_ = std::chrono::steady_clock::now() + wait;
}

void PeerLine::close() {
  closed_ = true;
  beast::error_code ignored;
  if (stream_) stream_->tcp.close(ignored);
}

void PeerLine::check_time(std::chrono::steady_clock::time_point now) {
  if (now < deadline_) return;
  late_ = true;
  close();
}

PeerLine::Task<Status> PeerLine::connect() {
  if (closed_) co_return failure("this process is stopping");
  if (stream_) co_return Status();
  stream_ = std::make_unique<Stream>(io_);
  input_.clear();
  asio::ip::tcp::resolver resolver(io_);
  auto [error, found] = co_await resolver.async_resolve(parts_.host, parts_.port, kAwait);
  if (!error) {
    expect_within(kConnectWait);
    auto [refused, where] = co_await asio::async_connect(stream_->tcp, found, kAwait);
    error = refused;
  }
  if (!error && parts_.tls) {
    stream_->tls.emplace(stream_->tcp, tls_);
    SSL_set_tlsext_host_name(stream_->tls->native_handle(), parts_.host.c_str());
    stream_->tls->set_verify_mode(asio::ssl::verify_peer);
    stream_->tls->set_verify_callback(asio::ssl::host_name_verification(parts_.host));
    auto [untrusted] = co_await stream_->tls->async_handshake(asio::ssl::stream_base::client, kAwait);
    error = untrusted;
  }
  if (error) {
    stream_.reset();
    co_return failure(error.message());
  }
  beast::error_code ignored;
  stream_->tcp.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return Status();
}

PeerLine::Task<Status> PeerLine::send(std::string_view path, const std::string& body) {
  if (Status connected = co_await connect(); !connected) co_return connected;
  // As one piece: over TLS each would be a record of its own.
  request_.assign("POST ").append(path).append(" HTTP/1.1\r\n").append(fields_);
  request_.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  expect_within(kAnswerWait);
  auto [unsent, written] = co_await asio::async_write(*stream_, asio::buffer(request_), kAwait);
  if (unsent) co_return failure(unsent.message());
  answer_.emplace();
  answer_->body_limit(boost::none);
  auto [unread, read] = co_await http::async_read_header(*stream_, input_, *answer_, kAwait);
  if (unread) co_return failure(unread.message());
  co_return Status();
}

PeerLine::Task<Status> PeerLine::begin(std::string_view path, const std::string& body) {
  const bool reused = stream_ != nullptr;
  under_way_ = true;
  Status sent = co_await send(path, body);
  if (!sent && reused && !closed_) {
    stream_.reset();
    sent = co_await send(path, body);
  }
  if (!sent) {
    stream_.reset();
    co_return sent;
  }
  const unsigned status = answer_->get().result_int();
  if (status == 200) co_return Status();
  stream_.reset();
  co_return failure(status == 401 || status == 403
                        ? "it does not take this process for one of its service (millrace.internal.secret)"
                        : "HTTP status " + std::to_string(status));
}

PeerLine::Task<Result<std::string_view>> PeerLine::more() {
  std::string_view got;
  piece_.resize(kPieceSize);
  while (got.empty() && !answer_->is_done()) {
    answer_->get().body().data = piece_.data();
    answer_->get().body().size = piece_.size();
    answer_->get().body().more = true;
    expect_within(kAnswerWait);
    auto [error, read] = co_await http::async_read_some(*stream_, input_, *answer_, kAwait);
    got = {piece_.data(), kPieceSize - answer_->get().body().size};
    if (error && error != http::error::need_buffer) {
      stream_.reset();
      co_return failure(error.message());
    }
  }
  deadline_ = std::chrono::steady_clock::time_point::max();
  if (got.empty()) {
    if (!answer_->keep_alive()) stream_.reset();
    under_way_ = false;
  }
  co_return got;
}

PeerLine::Task<Result<std::string>> PeerLine::exchange(std::string_view path, const std::string& body) {
  if (Status begun = co_await begin(path, body); !begun) co_return begun.error();
  std::string whole;
  while (true) {
    auto piece = co_await more();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return whole;
    whole += *piece;
  }
}

}  // namespace millrace::inline server
