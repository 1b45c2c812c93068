#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exec/runtime/remote_tables.h"
#include "server/http/peer_line.h"

namespace millrace::inline server {

/// The connections of one thread to other processes. Look-ups of what the thread has ready at a time go together. All
/// calls come on that thread, which runs `io`.
class PeerLines final : public std::enable_shared_from_this<PeerLines> {
 public:
  /// One of the other processes.
  struct Peer {
    std::string address;
    struct WaitingKey {
      TableKey key;
      TableFound found;
    };
    std::deque<WaitingKey> waiting = {};
    std::size_t lines = 0;  // that look keys up
    std::size_t taken = 0;  // of its lines
    std::vector<std::unique_ptr<PeerLine>> idle = {};
    std::chrono::steady_clock::time_point last_taken = {};

    bool is_silent_since(std::chrono::steady_clock::time_point then) const {
      return waiting.empty() && lines == 0 && taken == 0 && last_taken < then;
    }
  };

  /// `forget_after`: a process that is not asked for so long, and the lines to it.
  PeerLines(boost::asio::io_context& io, SSL_CTX& tls, std::string authorization,
            std::chrono::milliseconds forget_after);
  PeerLines(const PeerLines&) = delete;
  PeerLines& operator=(const PeerLines&) = delete;

  /// Sent when the thread has done what it has at hand.
  void look_up(const std::string& address, TableKey key, TableFound found);
  Peer& peer_at(const std::string& address);
  std::unique_ptr<PeerLine> take(Peer& peer);
  void give_back(Peer& peer, std::unique_ptr<PeerLine> line);
  /// Whatever is under way fails, or will be. For good.
  void close();
  bool closed() const { return closed_; }

 private:
  void tick();
  void send();
  void send(Peer& peer);
  boost::asio::awaitable<void> look_up_all(std::shared_ptr<PeerLines> self, Peer& peer,
                                           std::vector<Peer::WaitingKey> batch);

  boost::asio::io_context& io_;
  boost::asio::ssl::context tls_;
  const std::string authorization_;
  const std::chrono::milliseconds forget_after_;
  boost::asio::steady_timer clock_;
  std::map<std::string, Peer> peers_;  // by address; those that were asked lately
  std::set<Peer*> asked_;              // have keys that wait for send()
  std::set<PeerLine*> in_use_;
  bool ticking_ = false, closed_ = false;
};

}  // namespace millrace::inline server
