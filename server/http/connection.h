#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "parser/error/mutex.h"
#include "server/http/answer.h"
#include "server/http/limits.h"
#include "server/http/tls.h"

namespace millrace::inline server {

/// Bytes on the way to a socket; protocols hold more back.
constexpr std::size_t kMostUnsent = 256 << 10;

/// What is spoken over a connection. Every call comes on the connection's thread.
class Protocol {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Protocol() = default;
  virtual void receive(std::string_view bytes) = 0;
  /// Answers that have something new for the peer.
  virtual void pump(const std::vector<std::shared_ptr<Answer>>& answers) = 0;
  /// The peer has taken what was sent: there is room for more.
  virtual void writable() = 0;
  /// The peer will send no more.
  virtual void end_of_input() = 0;
  /// Takes no new requests, and ends the connection when those under way are answered.
  virtual void drain() = 0;
  /// The connection has gone.
  virtual void lost() = 0;
  /// Every second: ends what has waited too long.
  virtual void tick(Clock::time_point now) = 0;
};

/// What the connections of a server share. Outlives them.
struct ConnectionContext {
  HttpLimits limits;
  RequestHandler* handler = nullptr;
  std::atomic<std::size_t> gathered_bytes = 0;  // of bodies in memory
  std::function<void(const std::shared_ptr<class Connection>&)> forget;
};

/// One connection over TCP or TLS: finds out which protocol the peer speaks, reads for it and writes for it. It belongs
/// to an io_context that one thread runs; only wake(), drain() and close() may be called from others.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using Executor = boost::asio::io_context::executor_type;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

  /// `read_buffer` belongs to the thread, for the time of one call. `tls` may be null.
  Connection(Socket socket, ConnectionContext& context, std::vector<char>& read_buffer, const TlsContextPtr& tls);

  void start();
  void wake(std::shared_ptr<Answer> answer);
  void drain();
  void close();
  Executor executor() { return executor_; }
  void tick(Protocol::Clock::time_point now);
  /// For tests: speaks `protocol`, is fed instead of reading, and sends nothing.
  void offline(std::unique_ptr<Protocol> protocol);
  void feed(std::string_view bytes) { received(bytes); }

  // For protocols.
  ConnectionContext& context() { return context_; }
  void send(std::string_view bytes);
  /// Bytes that the peer has not taken yet.
  std::size_t backlog() const { return out_.size() - sent_; }
  /// Stops and goes on reading, so that the peer has to wait.
  void read_more(bool wanted);
  /// Sends what is left, then ends the connection.
  void close_when_sent();
  /// Another protocol takes over, `rest` being what came after the first one's last request. The first is kept until
  /// it has returned.
  void become(std::unique_ptr<Protocol> protocol, std::string_view rest);
  void lost();
  bool is_tls() const { return tls_ != nullptr; }
  const std::string& peer() const { return peer_; }
  std::shared_ptr<Answer> make_answer(std::int32_t id) { return std::make_shared<Answer>(shared_from_this(), id); }

 private:
  void read();
  void on_read(std::string_view bytes);
  void received(std::string_view bytes);
  void decrypt(std::string_view bytes);
  void plain(std::string_view bytes);
  void pump();
  bool take_woken();
  void flush();
  void finish_closing();

  // What most requests fit in. Waiting with a buffer costs no system call, waiting without one does.
  static constexpr std::size_t kFirstBytes = 1024;

  Executor executor_;
  std::optional<Socket> socket_;
  ConnectionContext& context_;
  std::vector<char>& read_buffer_;
  std::unique_ptr<TlsSession> tls_;
  std::string peer_;
  std::unique_ptr<Protocol> protocol_, replaced_;
  std::string greeting_;  // first bytes, until the protocol is known
  std::array<char, kFirstBytes> first_bytes_;
  std::string out_;
  std::size_t sent_ = 0;
  Protocol::Clock::time_point since_;  // start, or the last byte to a peer that closes
  bool offline_ = false;
  bool writing_ = false, reading_ = false, read_wanted_ = true, closing_ = false, shut_ = false;

  std::vector<std::shared_ptr<Answer>> own_woken_;  // by the thread of the connection, while it pumps
  std::vector<std::shared_ptr<Answer>> pumped_;     // those it is just pumping
  std::atomic<std::thread::id> pumping_;            // that thread, while it will look at own_woken_
  std::atomic<bool> any_woken_ = false;             // woken_ is not empty

  Mutex mutex_;
  std::vector<std::shared_ptr<Answer>> woken_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::inline server
