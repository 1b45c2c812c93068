#include "server/http/websocket.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <boost/json.hpp>

#include "planner/types/value.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::size_t kLongestFrame = 64 << 10;  // that a client may send
constexpr unsigned kText = 1, kClose = 8, kPing = 9, kPong = 10;
constexpr unsigned kNormal = 1000, kProtocolError = 1002, kUnsupported = 1003, kTooLarge = 1009, kServerError = 1011,
                   kTryAgain = 1013, kGoingAway = 1001;

std::string frame(unsigned opcode, std::string_view text) {
  std::string out;
  out += static_cast<char>(0x80 | opcode);
  const auto big_endian = [&](int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
      out += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> shift & 0xFF);
  };
  if (text.size() < 126) {
    out += static_cast<char>(text.size());
  } else if (text.size() < 65536) {
    out += static_cast<char>(126);
    big_endian(2);
  } else {
    out += static_cast<char>(127);
    big_endian(8);
  }
  out += text;
  return out;
}

std::string close_frame(unsigned code, std::string_view reason) {
  constexpr std::size_t kMostReason = 123;
  std::string text = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  text += reason.substr(0, kMostReason);
  return frame(kClose, text);
}

class WebSocket final : public Protocol {
 public:
  WebSocket(Connection& connection, std::shared_ptr<Answer> answer)
      : connection_(connection), answer_(std::move(answer)), since_(Clock::now()) {}
  ~WebSocket() override { lost(); }

  void receive(std::string_view bytes) override {
    since_ = Clock::now();
    if (ended_) return;
    input_ += bytes;
    while (!ended_ && take_frame()) {
    }
  }
  void pump(const std::vector<std::shared_ptr<Answer>>&) override { pump_answer(); }
  void writable() override { pump_answer(); }
  void end_of_input() override { connection_.lost(); }
  void drain() override {
    if (!answer_) end(kGoingAway, "");
  }
  void lost() override {
    ended_ = true;
    if (auto answer = std::exchange(answer_, nullptr)) answer->gone();
  }
  void tick(Clock::time_point now) override {
    if (now - since_ < connection_.context().limits.idle_time) return;
    connection_.send(frame(kPing, ""));
    since_ = now;
  }

 private:
  /// One frame of the client; false: there is none yet.
  bool take_frame() {
    if (input_.size() < 2) return false;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(input_[at]); };
    const unsigned opcode = byte(0) & 0x0F;
    std::size_t length = byte(1) & 0x7F, head = 2;
    if ((byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0) return fail(kProtocolError);
    if (opcode >= kClose && (length > 125 || (byte(0) & 0x80) == 0)) return fail(kProtocolError);
    if (length == 127) return fail(kTooLarge);
    if (length == 126) {
      if (input_.size() < 4) return false;
      length = static_cast<std::size_t>(byte(2)) << 8 | byte(3);
      head = 4;
    }
    if (length > kLongestFrame) return fail(kTooLarge);
    if (input_.size() < head + 4 + length) return false;
    std::string text = input_.substr(head + 4, length);
    for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(text[i] ^ input_[head + i % 4]);
    input_.erase(0, head + 4 + length);
    if (opcode == kClose) {
      end(kNormal, "");
    } else if (opcode == kPing) {
      connection_.send(frame(kPong, text));
    } else if (opcode > 2 && opcode != kPong) {
      return fail(kProtocolError);
    }
    return true;  // what clients say is of no interest: the request came with the upgrade
  }

  bool fail(unsigned code) {
    end(code, "");
    return false;
  }

  void pump_answer() {
    if (!answer_ || ended_) return;
    if (auto head = answer_->take_head(); head && head->length) return answer_error(head->status);
    if (answer_->is_aborted()) return end(kServerError, "");
    bool complete = false;
    while (connection_.backlog() < kMostUnsent) {
      const auto chunk = answer_->take_chunk(complete);
      if (chunk) connection_.send(frame(kText, *chunk));
      if (!chunk || complete) break;
    }
    if (complete) end(kNormal, "done");
  }

  void answer_error(int status) {
    bool complete = false;
    const std::string body = answer_->take_chunk(complete).value_or("{}");
    boost::system::error_code bad;
    const json::value error = json::parse(body, bad);
    std::string message = body;
    if (!bad && error.is_object() && error.get_object().contains("message"))
      message = error.get_object().at("message").as_string();
    connection_.send(frame(kText, json::serialize(json::object{{"error", message}})));
    end(status == 503 || status == 429 ? kTryAgain : status >= 500 ? kServerError : kUnsupported, message);
  }

  void end(unsigned code, std::string_view reason) {
    if (std::exchange(ended_, true)) return;
    connection_.send(close_frame(code, reason));
    if (auto answer = std::exchange(answer_, nullptr)) answer->gone();
    connection_.close_when_sent();
  }

  Connection& connection_;
  std::shared_ptr<Answer> answer_;
  std::string input_;
  Clock::time_point since_;
  bool ended_ = false;
};

}  // namespace

std::string websocket_greeting(std::string_view key) {
  std::string decoded;
  if (!base64_decode(key, decoded) || decoded.size() != 16) return {};
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
      "{}\r\n\r\n",
      base64_encode({reinterpret_cast<const char*>(digest), sizeof digest}));
}

std::unique_ptr<Protocol> make_websocket(Connection& connection, std::shared_ptr<Answer> answer) {
  return std::make_unique<WebSocket>(connection, std::move(answer));
}

}  // namespace millrace::inline server
