#include "server/http/http1.h"

#include <fmt/format.h>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "server/http/http1_parser.h"
#include "server/http/http2.h"
#include "server/http/websocket.h"

namespace millrace::inline server {
namespace http = boost::beast::http;
namespace {

constexpr std::size_t kKeptBytes = 16 << 10;
constexpr std::size_t kMostPipelined = 256 << 10;  // pipelined requests that wait for their turn

std::string_view reason(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

std::string error_body(int status, std::string_view message) {
  return fmt::format(R"({{"@type":"generic_error","error_code":{}00,"message":"{}"}})", status, message);
}

class Http1 final : public Protocol {
 public:
  explicit Http1(Connection& connection) : connection_(connection), since_(Clock::now()) {}
  ~Http1() override { forget_body(); }

  void receive(std::string_view bytes) override {
    if (answer_ && body_done_) {
      input_ += bytes;
      if (input_.size() >= kMostPipelined) connection_.read_more(false);
      return;
    }
    if (!input_.empty()) {
      input_ += bytes;
      bytes = {};
    }
    process(bytes);
  }

  void pump(const std::vector<std::shared_ptr<Answer>>& answers) override {
    for (const auto& answer : answers)
      if (answer == answer_) pump_one();
  }
  void writable() override {
    if (answer_) pump_one();
  }
  void end_of_input() override {
    // Whole answers may still be wanted; of a stream nobody can tell, and who has gone reads no stream.
    if (!answer_ || !body_done_ || streaming_) return connection_.lost();
    close_after_ = true;
  }
  void drain() override {
    draining_ = close_after_ = true;
    if (!answer_ && !parser_) connection_.close_when_sent();
  }
  void lost() override {
    lost_ = true;
    if (auto receiver = std::exchange(receiver_, nullptr); receiver && !body_done_) receiver->end(true);
    if (auto answer = std::exchange(answer_, nullptr)) answer->gone();
    responder_.reset();
    forget_body();
  }
  void tick(Clock::time_point now) override {
    const HttpLimits& limits = connection_.context().limits;
    if (answer_ && body_done_) return;
    if (!parser_ && input_.empty()) {
      if (now - since_ > limits.idle_time) connection_.close_when_sent();
      return;
    }
    // A streamed body may pause as long as it likes, a head and a gathered body may not.
    const bool in_time = receiver_ ? now - since_ <= limits.idle_time : now - begun_ <= allowed(limits);
    if (!in_time) refuse(408, "the request took too long");
  }

 private:
  /// A body that keeps coming at a fair rate has more time.
  Clock::duration allowed(const HttpLimits& limits) const {
    constexpr std::size_t kLeastRate = 16 << 10;  // bytes in a second
    return limits.request_time + std::chrono::seconds(request_ ? request_->body.size() / kLeastRate : 0);
  }

  void process(std::string_view fresh) {
    const auto now = Clock::now();
    std::string kept;
    std::string_view bytes = fresh;
    if (!input_.empty()) {
      kept = std::exchange(input_, {});
      bytes = kept;
    }
    while (!lost_ && !next_ && !bytes.empty()) {
      if (answer_ && body_done_) break;  // its turn comes later
      if (!parser_) {
        // RFC 9112, 2.2: an empty line before a request is passed over.
        while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
        begun_ = now;
        if (bytes.empty() || bytes == "\r") break;
        parser_.emplace(connection_.context().limits.header_bytes);
        body_done_ = false;
      }
      boost::system::error_code error;
      const std::size_t used = parser_->feed(bytes, error);
      bytes.remove_prefix(used);
      if (!advance(error)) break;
      if (used == 0 && error == http::error::need_more) break;
    }
    since_ = now;
    if (next_) {
      lost_ = true;  // here nothing more happens
      return connection_.become(std::move(next_), bytes);
    }
    if (!lost_) input_ = bytes;
  }

  /// After each step of the parser. False: nothing more can be done now.
  bool advance(const boost::system::error_code& error) {
    if (error && error != http::error::need_more) {
      if (error == http::error::header_limit) {
        refuse(431, "the request's header is too large");
      } else if (error == http::error::end_of_stream) {
        connection_.lost();
      } else {
        refuse(400, error.message());
      }
      return false;
    }
    if (!parser_->is_header_done()) return true;
    if (!request_ && !begin()) return false;
    if (!take_body()) return false;
    if (parser_->is_done()) complete();
    return !lost_;
  }

  bool begin() {
    if (parser_->refusal() != 0) {
      refuse(parser_->refusal(), reason(parser_->refusal()));
      return false;
    }
    request_ = std::move(parser_->request());
    wishes_ = std::move(parser_->wishes());
    request_->peer = connection_.peer();
    bodiless_ = request_->method == "HEAD";
    if (bodiless_) request_->method = "GET";
    close_after_ = close_after_ || wishes_.close || draining_;
    const auto length = parser_->content_length();
    if (!can_gather(length ? *length : 0) && request_->path != "/inserts-stream") {
      refuse(413, "the request body is too large");
      return false;
    }
    answer_ = fresh_answer();
    responder_ = answer_->responder();
    receiver_ = connection_.context().handler->begin(*request_, responder_);
    if (lost_) return false;
    if (answer_->begun() && !parser_->is_done()) close_after_ = true;  // the body is not read
    if (wishes_.expects_continue && !parser_->is_done() && !answer_->begun() && wishes_.version >= 11 &&
        parser_->body().empty())
      connection_.send("HTTP/1.1 100 Continue\r\n\r\n");
    return true;
  }

  /// The last one again, unless somebody still has it.
  std::shared_ptr<Answer> fresh_answer() {
    if (!spare_ || spare_.use_count() > 1) return connection_.make_answer(0);
    spare_->renew(connection_.shared_from_this());
    return std::exchange(spare_, nullptr);
  }

  bool can_gather(std::uint64_t bytes) const {
    const HttpLimits& limits = connection_.context().limits;
    return bytes <= limits.body_bytes && connection_.context().gathered_bytes + bytes <= limits.bodies_bytes;
  }

  bool take_body() {
    std::string& piece = parser_->body();
    if (piece.empty()) return true;
    if (receiver_) {
      unread_ += piece.size();
      receiver_->data(piece);
      if (unread_ > connection_.context().limits.unread_bytes) connection_.read_more(false);
    } else {
      if (!can_gather(request_->body.size() + piece.size())) {
        refuse(413, "the request body is too large");
        return false;
      }
      connection_.context().gathered_bytes += piece.size();
      gathered_ += piece.size();
      if (request_->body.empty())
        request_->body = std::move(piece);
      else
        request_->body += piece;
    }
    piece.clear();
    return !lost_;
  }

  void complete() {
    body_done_ = true;
    parser_.reset();
    HttpRequest request = std::move(*request_);
    request_.reset();
    auto responder = std::exchange(responder_, nullptr);
    if (receiver_) return receiver_->end(false);
    if (answer_->begun()) return;
    if (switch_protocol(request, responder)) return;
    connection_.context().handler->handle(std::move(request), std::move(responder));
  }

  /// Upgrade: to HTTP/2 without TLS, or to a WebSocket. False: the request is an ordinary one.
  bool switch_protocol(HttpRequest& request, std::shared_ptr<Responder>& responder) {
    if (wishes_.upgrade.empty() || draining_) return false;
    if (wishes_.upgrade.find("h2c") != std::string::npos && !wishes_.settings.empty() && !connection_.is_tls())
      return become_http2(request, responder);
    if (wishes_.upgrade == "websocket" && request.path == "/ws/query" && request.method == "GET")
      return become_websocket(request, responder);
    return false;
  }

  bool become_websocket(HttpRequest& request, std::shared_ptr<Responder>& responder) {
    const std::string greeting = websocket_greeting(wishes_.websocket_key);
    if (greeting.empty()) return false;
    request.websocket = true;
    connection_.send(greeting);
    next_ = make_websocket(connection_, std::exchange(answer_, nullptr));
    connection_.context().handler->handle(std::move(request), std::move(responder));
    return true;
  }

  bool become_http2(HttpRequest& request, std::shared_ptr<Responder>& responder) {
    next_ = make_http2_upgraded(connection_, wishes_.settings, request);
    if (!next_) return false;
    std::exchange(answer_, nullptr)->gone();
    responder.reset();
    forget_body();
    connection_.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    return true;
  }

  void pump_one() {
    do {
      answer_->take(part_, connection_.backlog() < kMostUnsent);
      if (part_.consumed > 0 && receiver_ && !body_done_) {
        unread_ -= std::min(unread_, part_.consumed);
        if (unread_ <= connection_.context().limits.unread_bytes / 2) connection_.read_more(true);
      }
      if (part_.has_head) send_head(part_.head);
      if (part_.aborted) return connection_.lost();
      if (!part_.chunk.empty()) send_chunk(part_.chunk);
      if (part_.end) return finished();
    } while (!part_.chunk.empty());
  }

  void send_head(const Answer::Head& head) {
    std::string& text = scratch_;
    text = "HTTP/1.1 ";
    text.append(fmt::format_int(head.status).c_str()).append(" ").append(reason(head.status));
    text.append("\r\nDate: ").append(http_date());
    if (head.tells_length())
      text.append("\r\nContent-Length: ").append(fmt::format_int(*head.length).c_str());
    else if (!head.length && wishes_.version >= 11)
      text += "\r\nTransfer-Encoding: chunked";
    else if (!head.length)
      close_after_ = true;
    if (!head.content_type.empty()) text.append("\r\nContent-Type: ").append(head.content_type);
    for (const auto& [name, value] : head.headers) text.append("\r\n").append(name).append(": ").append(value);
    if (close_after_)
      text += "\r\nConnection: close";
    else if (wishes_.version < 11)
      text += "\r\nConnection: keep-alive";
    text += "\r\n\r\n";
    streaming_ = !head.length;
    chunked_ = streaming_ && wishes_.version >= 11;
    connection_.send(text);
  }
  void send_chunk(const std::string& chunk) {
    if (bodiless_) return;
    if (!chunked_) return connection_.send(chunk);
    connection_.send(fmt::format("{:x}\r\n", chunk.size()));
    connection_.send(chunk);
    connection_.send("\r\n");
  }

  void finished() {
    if (part_.broken) close_after_ = true;
    if (chunked_ && !bodiless_ && !part_.broken) connection_.send("0\r\n\r\n");
    streaming_ = chunked_ = bodiless_ = false;
    spare_ = std::exchange(answer_, nullptr);
    spare_->gone();
    if (part_.chunk.capacity() > kKeptBytes) part_ = {};
    receiver_.reset();
    forget_body();
    if (close_after_ || !body_done_) return connection_.close_when_sent();
    connection_.read_more(true);
    since_ = Clock::now();
    if (!input_.empty()) process({});
  }

  /// An answer to a request that is not gone on with; then the connection ends.
  void refuse(int status, std::string_view message) {
    if (lost_) return;
    close_after_ = true;
    if (auto receiver = std::exchange(receiver_, nullptr)) receiver->end(true);
    if (!streaming_) send_head({status, "application/json", {}, error_body(status, message).size()});
    if (!streaming_) connection_.send(error_body(status, message));
    connection_.close_when_sent();
  }

  void forget_body() {
    connection_.context().gathered_bytes -= std::exchange(gathered_, 0);
    unread_ = 0;  // what is still being consumed counts for no later request
  }

  Connection& connection_;
  std::string input_;  // came while another request is being answered
  std::optional<Http1Parser> parser_;
  std::optional<HttpRequest> request_;  // whose body is coming
  Http1Parser::Wishes wishes_;
  std::shared_ptr<BodyReceiver> receiver_;
  std::shared_ptr<Answer> answer_, spare_;
  Answer::Part part_;                     // that was sent last
  std::string scratch_;                   // for a head
  std::shared_ptr<Responder> responder_;  // until the request is handed over
  std::unique_ptr<Protocol> next_;        // takes over
  std::size_t gathered_ = 0, unread_ = 0;
  bool body_done_ = false;
  bool close_after_ = false, draining_ = false, lost_ = false;
  bool streaming_ = false, chunked_ = false, bodiless_ = false;
  Clock::time_point since_, begun_;  // the last byte, the first one of this request
};

}  // namespace

std::unique_ptr<Protocol> make_http1(Connection& connection) {
  return std::make_unique<Http1>(connection);
}

}  // namespace millrace::inline server
