#include "exec/schemas/http/http_exchange.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace millrace::inline exec {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

// A schema is small; whatever answers with more is no registry.
constexpr std::uint64_t kMaxBody = 64 << 20;

/// Steps of one exchange, each waited for until the deadline.
class Exchange {
 public:
  Exchange(const HttpQuestion& question, std::chrono::milliseconds timeout)
      : question_(question), deadline_(std::chrono::steady_clock::now() + timeout) {}

  Result<HttpAnswer> run(asio::ssl::context& tls, bool verify) {
    const bool secure = question_.url.scheme() == "https";
    const std::string host(question_.url.host_address());
    const std::string port = question_.url.has_port() ? std::string(question_.url.port()) : secure ? "443" : "80";
    Tcp::resolver resolver(context_);
    Tcp::resolver::results_type places;
    if (auto failed = wait([&](auto done) {
          resolver.async_resolve(host, port, [&places, done](error_code error, Tcp::resolver::results_type found) {
            places = std::move(found);
            done(error);
          });
        }))
      return fail("resolve", *failed);
    if (secure) return run_secure(places, host, tls, verify);
    beast::tcp_stream stream(context_);
    if (auto failed = connect(stream, places)) return fail("connect to", *failed);
    return talk(stream);
  }

 private:
  template <class Start>
  std::optional<error_code> wait(const Start& start) {
    std::optional<error_code> outcome;
    start([&outcome](error_code error) { outcome = error; });
    context_.restart();
    while (!outcome && std::chrono::steady_clock::now() < deadline_) {
      if (context_.run_one_until(deadline_) == 0) break;
    }
    if (!outcome) return asio::error::timed_out;
    return *outcome ? outcome : std::nullopt;
  }

  std::optional<error_code> connect(beast::tcp_stream& stream, const Tcp::resolver::results_type& places) {
    return wait([&](auto done) {
      stream.async_connect(places, [done](error_code error, const Tcp::endpoint&) { done(error); });
    });
  }

  Result<HttpAnswer> run_secure(const Tcp::resolver::results_type& places, const std::string& host,
                                asio::ssl::context& tls, bool verify) {
    asio::ssl::stream<beast::tcp_stream> stream(context_, tls);
    SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
    if (verify) stream.set_verify_callback(asio::ssl::host_name_verification(host));
    if (auto failed = connect(stream.next_layer(), places)) return fail("connect to", *failed);
    if (auto failed = wait([&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); }))
      return fail("set up TLS with", *failed);
    return talk(stream);
  }

  template <class Stream>
  Result<HttpAnswer> talk(Stream& stream) {
    http::request<http::string_body> request{http::string_to_verb(question_.method),
                                             std::string(question_.url.encoded_target()), 11};
    request.set(http::field::host, std::string(question_.url.encoded_host_and_port()));
    request.set(http::field::user_agent, "millrace");
    request.set(http::field::accept, "application/vnd.schemaregistry.v1+json, application/json");
    request.set(http::field::connection, "close");
    if (!question_.authorization.empty()) request.set(http::field::authorization, question_.authorization);
    if (!question_.body.empty()) {
      request.set(http::field::content_type, "application/vnd.schemaregistry.v1+json");
      request.body() = question_.body;
    }
    request.prepare_payload();
    if (auto failed = wait([&](auto done) {
          http::async_write(stream, request, [done](error_code error, std::size_t) { done(error); });
        }))
      return fail("write to", *failed);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> response;
    response.body_limit(kMaxBody);
    if (auto failed = wait([&](auto done) {
          http::async_read(stream, buffer, response, [done](error_code error, std::size_t) { done(error); });
        }))
      return fail("read from", *failed);
    return HttpAnswer{response.get().result_int(), std::move(response.get().body())};
  }

  Error fail(std::string_view doing, error_code error) {
    return external_error("cannot {} {}: {}", doing, std::string(question_.url.encoded_host_and_port()),
                          error.message());
  }

  const HttpQuestion& question_;
  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context context_{1};
};

}  // namespace

Result<HttpAnswer> exchange(const HttpQuestion& question, asio::ssl::context& tls, bool verify,
                            std::chrono::milliseconds timeout) {
  return Exchange(question, timeout).run(tls, verify);
}

}  // namespace millrace::inline exec
