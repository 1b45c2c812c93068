#include "server/http/http1_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "parser/error/letter_case.h"
#include "parser/error/trim.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace http = boost::beast::http;
namespace {

constexpr int kMostFields = 200;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// RFC 9112, 5.2: a field value that goes on in the next line. Others may read it in another way.
bool has_fold(std::string_view head) {
  if (head.starts_with("\r\n")) return false;  // the head's end alone; what follows is the body
  head = head.substr(0, head.find("\r\n\r\n"));
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

/// RFC 9112, 3.2: no more than a name, or an address, and a port.
bool is_host(std::string_view value) {
  constexpr std::string_view kElsewhere = "/\\@?#<>{}|^`\"";
  return std::ranges::all_of(value, [&](char c) { return c > 32 && c < 127 && kElsewhere.find(c) == kElsewhere.npos; });
}

}  // namespace

Http1Parser::Http1Parser(std::size_t header_bytes) {
  header_limit(static_cast<std::uint32_t>(header_bytes));
  body_limit(boost::none);  // the connection counts for itself
  eager(true);
}

std::size_t Http1Parser::feed(std::string_view bytes, boost::beast::error_code& error) {
  const bool knew_header = is_header_done();
  const std::size_t used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  // A field is taken as a whole, however many pieces it comes in.
  if (!knew_header && has_fold(bytes.substr(0, used))) refusal_ = 400;
  return used;
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
      if (!is_host(trim(view(value)))) refusal_ = 400;
      return;
    case http::field::accept:
      // Several fields are one list.
      if (request_.accept)
        *request_.accept += "," + std::string(value);
      else
        request_.accept = std::string(value);
      return;
    case http::field::transfer_encoding:
      if (lower_case(view(value)) != "chunked") refusal_ = 501;
      return;
    case http::field::expect:
      if (lower_case(view(value)) == "100-continue")
        wishes_.expects_continue = true;
      else
        refusal_ = 417;
      return;
    case http::field::upgrade:
      wishes_.upgrade = lower_case(view(value));
      return;
    case http::field::http2_settings:
      wishes_.settings = view(value);
      return;
    case http::field::sec_websocket_key:
      wishes_.websocket_key = view(value);
      return;
    default:
      if (const std::string known = lower_case(view(name_text)); keeps_header(known))
        request_.headers.emplace_back(known, view(value));
  }
}

void Http1Parser::on_header_impl(Problem&) {
  // RFC 9112, 3.2: a request has one Host, but for those of HTTP/1.0.
  if (hosts_ > 1 || (hosts_ == 0 && wishes_.version >= 11)) refusal_ = 400;
  wishes_.close = !keep_alive();
  // RFC 9110, 7.8: without the connection's option it was meant for somebody on the way.
  if (!upgrade()) wishes_.upgrade.clear();
}

void Http1Parser::on_body_init_impl(boost::optional<std::uint64_t> const&, Problem&) {}

std::size_t Http1Parser::on_body_impl(Text piece, Problem&) {
  body_ += view(piece);
  return piece.size();
}

std::size_t Http1Parser::on_chunk_body_impl(std::uint64_t, Text piece, Problem&) {
  body_ += view(piece);
  return piece.size();
}

}  // namespace millrace::inline server
