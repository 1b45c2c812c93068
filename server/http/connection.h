#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/http/exchange.h"

namespace millrace::inline server {

/// One HTTP/1.1 connection: reads a request, hands it to `dispatch` with a responder, reads the next when the answer is
/// out. It belongs to an io_context that one thread runs; responders may be used from any thread.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
  using Dispatch = std::function<void(HttpRequest&&, std::shared_ptr<Responder>)>;

  Connection(Socket socket, std::size_t max_body_bytes, Dispatch dispatch)
      : socket_(std::move(socket)), max_body_bytes_(max_body_bytes), dispatch_(std::move(dispatch)) {}

  void start();
  /// Closes the socket; answers under way are dropped.
  void close();
  boost::asio::io_context::executor_type executor() { return socket_.get_executor(); }

 private:
  friend class Http1Responder;

  void read();
  void on_request();
  void answer_and_close(int status, std::string_view message);
  /// Appends to what is to be sent, and begins to send. `last`: the answer ends with it. False: a lot is waiting.
  bool send(std::string_view text, bool last);
  void write_some();
  /// After a write: true when more has come meanwhile.
  bool written();
  void finished();
  void watch_peer();
  void lost();

  Socket socket_;
  const std::size_t max_body_bytes_;
  Dispatch dispatch_;
  boost::beast::flat_buffer input_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  bool keep_alive_ = true;

  std::mutex mutex_;  // guards what follows
  std::string pending_, active_;
  bool writing_ = false, last_ = false, closed_ = false, congested_ = false;
  std::function<void()> on_drained_, on_closed_;
};

}  // namespace millrace::inline server
