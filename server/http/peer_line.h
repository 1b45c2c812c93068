#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "server/http/peers.h"

namespace millrace::inline server {

/// One connection to another process, HTTP/1.1, kept alive: one exchange at a time, on the thread of its io_context.
/// Errors are Fault::unavailable: whatever is wrong with a process, another may have its partitions soon.
class PeerLine {
 public:
  template <class T>
  using Task = boost::asio::awaitable<T>;

  PeerLine(boost::asio::io_context& io, std::string address, boost::asio::ssl::context& tls,
           const std::string& authorization);
  ~PeerLine();

  /// A whole answer. Tries a second time on a new connection when one that lay idle turns out to be closed.
  Task<Result<std::string>> exchange(std::string_view path, const std::string& body);

  /// The body of an answer, bit by bit: begin, then more until it is empty. What it gives lasts until the next call.
  Task<Status> begin(std::string_view path, const std::string& body);
  Task<Result<std::string_view>> more();

  /// Whether another exchange may follow.
  bool is_idle() const { return stream_ != nullptr && !under_way_; }
  /// Whatever is under way fails. For good. The thread of the io_context.
  void close();
  /// The same for what has taken too long. To be called now and then: a timer for each step would cost more than the
  /// step.
  void check_time(std::chrono::steady_clock::time_point now);

 private:
  struct Stream;
  Task<Status> connect();
  Task<Status> send(std::string_view path, const std::string& body);
  void expect_within(std::chrono::milliseconds wait);
  Error failure(const std::string& why) const;

  boost::asio::io_context& io_;
  const std::string address_;
  const PeerAddress parts_;
  boost::asio::ssl::context& tls_;
  std::string fields_;   // of every request, up to its length
  std::string request_;  // on its way
  std::unique_ptr<Stream> stream_;
  boost::beast::flat_buffer input_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::buffer_body>> answer_;
  std::vector<char> piece_;
  bool under_way_ = false, closed_ = false, late_ = false;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();  // of the step
};

}  // namespace millrace::inline server
