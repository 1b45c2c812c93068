#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "server/http/exchange.h"

namespace millrace::inline server {

/// Reads one HTTP/1.1 request, leaving out what no handler looks at. One thread.
class Http1Parser final : public boost::beast::http::basic_parser<true> {
 public:
  /// What the connection itself has to know of the head.
  struct Wishes {
    bool expects_continue = false;
    bool close = false;             // or HTTP/1.0 without keep-alive
    std::string upgrade, settings;  // Upgrade, HTTP2-Settings
    std::string websocket_key;
    int version = 11;
  };

  explicit Http1Parser(std::size_t header_bytes);
  HttpRequest& request() { return request_; }
  Wishes& wishes() { return wishes_; }
  /// Body bytes that came since the last call are here.
  std::string& body() { return body_; }
  /// Why the request is refused though it can be read; 0: it is not.
  int refusal() const { return refusal_; }
  /// Feeds the parser. Bytes used; `error` as basic_parser says.
  std::size_t feed(std::string_view bytes, boost::beast::error_code& error);

 private:
  using Text = boost::beast::string_view;
  using Problem = boost::beast::error_code;
  void on_request_impl(boost::beast::http::verb, Text method, Text target, int version, Problem&) override;
  void on_response_impl(int, Text, int, Problem&) override {}
  void on_field_impl(boost::beast::http::field name, Text name_text, Text value, Problem&) override;
  void on_header_impl(Problem&) override;
  void on_body_init_impl(boost::optional<std::uint64_t> const& length, Problem&) override;
  std::size_t on_body_impl(Text piece, Problem&) override;
  void on_chunk_header_impl(std::uint64_t, Text, Problem&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text piece, Problem&) override;
  void on_finish_impl(Problem&) override {}

  HttpRequest request_;
  Wishes wishes_;
  std::string body_;
  int refusal_ = 0, hosts_ = 0, fields_ = 0;
};

}  // namespace millrace::inline server
