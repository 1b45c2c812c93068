#include "server/http/http1_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "server/http/http_text.h"

namespace millrace::inline server {
namespace http = boost::beast::http;
namespace {

constexpr int kMostFields = 200;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

Http1Parser::Http1Parser(std::size_t header_bytes) {
  header_limit(static_cast<std::uint32_t>(header_bytes));
  body_limit(boost::none);  // the connection counts for itself
  eager(true);
}

std::size_t Http1Parser::feed(std::string_view bytes, boost::beast::error_code& error) {
  return put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
}

void Http1Parser::on_request_impl(http::verb, Text method, Text target, int version, Problem&) {
  request_.method = view(method);
  wishes_.version = version;
  if (!request_.set_target(view(target))) refusal_ = 400;
}

void Http1Parser::on_field_impl(http::field name, Text name_text, Text value, Problem&) {
  if (++fields_ > kMostFields) refusal_ = 431;
  switch (name) {
    case http::field::host:
      ++hosts_;
      return;
    case http::field::accept:
      // Several fields are one list.
      if (request_.accept)
        *request_.accept += "," + std::string(value);
      else
        request_.accept = std::string(value);
      return;
    case http::field::transfer_encoding:
      if (lower(view(value)) != "chunked") refusal_ = 501;
      return;
    case http::field::expect:
      if (lower(view(value)) == "100-continue")
        wishes_.expects_continue = true;
      else
        refusal_ = 417;
      return;
    case http::field::upgrade:
      wishes_.upgrade = lower(view(value));
      return;
    case http::field::http2_settings:
      wishes_.settings = view(value);
      return;
    case http::field::sec_websocket_key:
      wishes_.websocket_key = view(value);
      return;
    default:
      if (const std::string known = lower(view(name_text)); keeps_header(known))
        request_.headers.emplace_back(known, view(value));
  }
}

void Http1Parser::on_header_impl(Problem&) {
  // RFC 9112, 3.2: a request has one Host, but for those of HTTP/1.0.
  if (hosts_ > 1 || (hosts_ == 0 && wishes_.version >= 11)) refusal_ = 400;
  wishes_.close = !keep_alive();
}

void Http1Parser::on_body_init_impl(boost::optional<std::uint64_t> const&, Problem&) {
  has_body_ = true;
}

std::size_t Http1Parser::on_body_impl(Text piece, Problem&) {
  body_ += view(piece);
  return piece.size();
}

std::size_t Http1Parser::on_chunk_body_impl(std::uint64_t, Text piece, Problem&) {
  body_ += view(piece);
  return piece.size();
}

}  // namespace millrace::inline server
