#include "server/http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url.hpp>

namespace millrace::inline server {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
namespace {

constexpr std::chrono::milliseconds kCancelCheck{100};
constexpr std::size_t kPieceBytes = 16384;

/// A TCP connection, with TLS over it or without.
class Wire {
 public:
  Wire(asio::io_context& io, asio::ssl::context* tls) : socket_(io) {
    if (tls != nullptr) tls_.emplace(socket_, *tls);
  }
  tcp::socket& socket() { return socket_; }
  void greet(const std::string& host, beast::error_code& error) {
    if (!tls_) return;
    SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    tls_->set_verify_mode(asio::ssl::verify_peer);
    tls_->set_verify_callback(asio::ssl::host_name_verification(host));
    tls_->handshake(asio::ssl::stream_base::client, error);
  }
  /// Bytes that have come but show no more on the socket.
  bool has_pending() { return tls_ && SSL_pending(tls_->native_handle()) > 0; }

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, beast::error_code& error) {
    return tls_ ? tls_->read_some(buffers, error) : socket_.read_some(buffers, error);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, beast::error_code& error) {
    return tls_ ? tls_->write_some(buffers, error) : socket_.write_some(buffers, error);
  }
  // Of the stream concepts; nothing here throws.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    beast::error_code error;
    return read_some(buffers, error);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    beast::error_code error;
    return write_some(buffers, error);
  }

 private:
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
};

class BeastClient final : public HttpClient {
 public:
  BeastClient(std::string url, std::string host, std::string port, Headers headers,
              std::unique_ptr<asio::ssl::context> tls)
      : url_(std::move(url)),
        host_(std::move(host)),
        port_(std::move(port)),
        headers_(std::move(headers)),
        tls_(std::move(tls)) {}

  void cancel() override { cancelled_ = true; }
  const std::string& url() const override { return url_; }

 private:
  Result<HttpResponse> exchange(std::string_view method, std::string_view path, std::string_view body,
                                const Headers& headers, const Piece* piece) override {
    cancelled_ = false;
    const bool reused = stream_.has_value();
    auto answer = try_exchange(method, path, body, headers, piece);
    // The server may have closed a connection that lay idle.
    if (!answer && reused && !delivered_) {
      stream_.reset();
      answer = try_exchange(method, path, body, headers, piece);
    }
    if (!answer) stream_.reset();
    return answer;
  }

  Error failure(const beast::error_code& error) const {
    return external_error("{}: {}", url_,
                          error == asio::error::connection_refused ? "connection refused: no server listens there"
                          : error == asio::error::interrupted      ? "interrupted while waiting for the answer"
                                                                   : error.message());
  }

  Status connect() {
    if (stream_) return {};
    beast::error_code error;
    tcp::resolver resolver(io_);
    auto found = resolver.resolve(host_, port_, error);
    if (error) return failure(error);
    stream_.emplace(io_, tls_.get());
    asio::connect(stream_->socket(), found, error);
    if (!error) stream_->greet(host_, error);
    if (error) {
      stream_.reset();
      return failure(error);
    }
    stream_->socket().set_option(tcp::no_delay(true), error);
    input_.clear();
    return {};
  }

  Result<HttpResponse> try_exchange(std::string_view method, std::string_view path, std::string_view body,
                                    const Headers& headers, const Piece* piece) {
    delivered_ = false;
    if (Status connected = connect(); !connected) return connected.error();
    http::request<http::string_body> request;
    request.method_string(beast::string_view(method.data(), method.size()));
    request.target(beast::string_view(path.data(), path.size()));
    request.version(11);
    request.set(http::field::host, host_ + ":" + port_);
    for (const auto* list : {&headers_, &headers})
      for (const auto& [name, value] : *list) request.set(name, value);
    request.body() = std::string(body);
    request.prepare_payload();
    beast::error_code error;
    http::write(*stream_, request, error);
    if (error) return failure(error);
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    http::read_header(*stream_, input_, parser, error);
    if (error) return failure(error);
    return read_body(parser, piece);
  }

  Result<HttpResponse> read_body(http::response_parser<http::buffer_body>& parser, const Piece* piece) {
    HttpResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    response.content_type = std::string(parser.get()[http::field::content_type]);
    const bool hand_over = piece != nullptr && response.status == 200;
    char chunk[kPieceBytes];
    while (!parser.is_done()) {
      parser.get().body().data = chunk;
      parser.get().body().size = sizeof chunk;
      beast::error_code error;
      if (hand_over) {
        const std::size_t taken = input_.size() > 0 ? parser.put(input_.data(), error) : 0;
        input_.consume(taken);
        if (taken == 0 && (!error || error == http::error::need_more)) {
          error = {};
          if (!fill(error)) return cut(response);
        }
      } else {
        http::read_some(*stream_, input_, parser, error);
      }
      if (error && error != http::error::need_buffer && error != http::error::need_more) return failure(error);
      const std::string_view got(chunk, sizeof chunk - parser.get().body().size);
      if (!hand_over) response.body += got;
      delivered_ = true;
      if (hand_over && !got.empty() && !(*piece)(got)) return cut(response);
    }
    if (!parser.keep_alive()) stream_.reset();
    return response;
  }

  HttpResponse cut(HttpResponse& response) {
    stream_.reset();
    return std::move(response);
  }

  /// Waits for more input; false when cancelled.
  bool fill(beast::error_code& error) {
    if (!wait_readable()) return false;
    const std::size_t got = stream_->read_some(input_.prepare(kPieceBytes), error);
    input_.commit(got);
    if (error == asio::error::interrupted) error = {};
    return true;
  }

  /// False when cancelled.
  bool wait_readable() {
    if (stream_->has_pending()) return true;
    while (!cancelled_) {
      fd_set set;
      FD_ZERO(&set);
      const int fd = stream_->socket().native_handle();
      FD_SET(fd, &set);
      timeval wait{0, static_cast<suseconds_t>(kCancelCheck.count() * 1000)};
      if (select(fd + 1, &set, nullptr, nullptr, &wait) > 0) return true;
    }
    return false;
  }

  const std::string url_, host_, port_;
  const Headers headers_;
  const std::unique_ptr<asio::ssl::context> tls_;  // null: none
  asio::io_context io_;
  std::optional<Wire> stream_;
  beast::flat_buffer input_;
  bool delivered_ = false;
  std::atomic<bool> cancelled_ = false;
};

Result<std::unique_ptr<asio::ssl::context>> make_client_tls(const ClientTls& files) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  beast::error_code error;
  const auto read = [&](const std::string& path, auto&& load) {
    if (!error && !path.empty()) load(path);
    return error ? Status(user_error("{}: {}", path, error.message())) : Status();
  };
  if (files.trusted.empty())
    context->set_default_verify_paths(error);
  else if (Status done = read(files.trusted, [&](auto& path) { context->load_verify_file(path, error); }); !done)
    return done.error();
  if (Status done = read(files.certificate, [&](auto& path) { context->use_certificate_chain_file(path, error); });
      !done)
    return done.error();
  const std::string& key = files.key.empty() ? files.certificate : files.key;
  if (Status done = read(key, [&](auto& path) { context->use_private_key_file(path, asio::ssl::context::pem, error); });
      !done)
    return done.error();
  return context;
}

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(const std::string& url, Headers headers, const ClientTls& tls) {
  auto parsed = boost::urls::parse_uri(url);
  const bool secure = parsed && parsed->scheme() == "https";
  if (!parsed || (parsed->scheme() != "http" && !secure) || parsed->host().empty())
    return user_error("'{}' is not a URL of a server: expected http://host:port or https://host:port", url);
  const std::string port = parsed->has_port() ? std::string(parsed->port()) : "8088";
  std::unique_ptr<asio::ssl::context> context;
  if (secure) {
    auto made = make_client_tls(tls);
    if (!made) return made.error();
    context = std::move(*made);
  }
  return std::unique_ptr<HttpClient>(
      std::make_unique<BeastClient>(url, parsed->host(), port, std::move(headers), std::move(context)));
}

}  // namespace millrace::inline server
