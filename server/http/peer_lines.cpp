#include "server/http/peer_lines.h"

#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "server/http/peer_wire.h"

namespace millrace::inline server {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kLinesForKeys = 2;    // to one process at a time
constexpr std::size_t kKeysTogether = 256;  // in one request
constexpr std::chrono::milliseconds kTick{500};

using WaitingKey = PeerLines::Peer::WaitingKey;

SSL_CTX* shared(SSL_CTX& tls) {
  SSL_CTX_up_ref(&tls);  // the context that takes it gives back one
  return &tls;
}

std::vector<WaitingKey> take_batch(PeerLines::Peer& peer) {
  std::vector<WaitingKey> batch;
  while (!peer.waiting.empty() && batch.size() < kKeysTogether) {
    batch.push_back(std::move(peer.waiting.front()));
    peer.waiting.pop_front();
  }
  return batch;
}

void deliver(const std::vector<WaitingKey>& batch, const Result<std::string>& answer) {
  auto found = answer ? decode_answers(*answer) : std::nullopt;
  if (found && found->size() == batch.size()) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].found(std::move((*found)[i]));
    return;
  }
  const Error why = answer ? unavailable_error("another process answers in another form") : answer.error();
  for (const WaitingKey& key : batch) key.found(why);
}

}  // namespace

PeerLines::PeerLines(asio::io_context& io, SSL_CTX& tls, std::string authorization,
                     std::chrono::milliseconds forget_after)
    : io_(io), tls_(shared(tls)), authorization_(std::move(authorization)), forget_after_(forget_after), clock_(io) {}

void PeerLines::look_up(const std::string& address, TableKey key, TableFound found) {
  Peer& peer = peer_at(address);
  peer.waiting.push_back({std::move(key), std::move(found)});
  const bool first = asked_.empty();
  asked_.insert(&peer);
  if (first) asio::post(io_, [self = shared_from_this()] { self->send(); });
}

PeerLines::Peer& PeerLines::peer_at(const std::string& address) {
  Peer& peer = peers_[address];
  if (peer.address.empty()) peer.address = address;
  return peer;
}

/// Ends what takes too long, and lets go of whom nobody asks.
void PeerLines::tick() {
  ticking_ = !peers_.empty();
  if (!ticking_) return;
  clock_.expires_after(kTick);
  clock_.async_wait([self = shared_from_this()](boost::system::error_code stopped) {
    if (stopped) return;
    const auto now = std::chrono::steady_clock::now();
    for (PeerLine* line : self->in_use_) line->check_time(now);
    std::erase_if(self->peers_,
                  [&](const auto& peer) { return peer.second.is_silent_since(now - self->forget_after_); });
    self->tick();
  });
}

std::unique_ptr<PeerLine> PeerLines::take(Peer& peer) {
  std::unique_ptr<PeerLine> line;
  if (!peer.idle.empty()) {
    line = std::move(peer.idle.back());
    peer.idle.pop_back();
  } else {
    line = std::make_unique<PeerLine>(io_, peer.address, tls_, authorization_);
  }
  if (closed_) line->close();
  ++peer.taken;
  peer.last_taken = std::chrono::steady_clock::now();
  in_use_.insert(line.get());
  if (!ticking_ && !closed_) tick();
  return line;
}

void PeerLines::give_back(Peer& peer, std::unique_ptr<PeerLine> line) {
  in_use_.erase(line.get());
  --peer.taken;
  if (line->is_idle() && !closed_) peer.idle.push_back(std::move(line));
}

void PeerLines::send() {
  std::set<Peer*> asked;
  asked.swap(asked_);
  for (Peer* peer : asked) send(*peer);
}

void PeerLines::send(Peer& peer) {
  while (!peer.waiting.empty() && peer.lines < kLinesForKeys) {
    ++peer.lines;
    asio::co_spawn(io_, look_up_all(shared_from_this(), peer, take_batch(peer)), asio::detached);
  }
}

/// One request after the other, as long as keys wait: those that come meanwhile go together.
asio::awaitable<void> PeerLines::look_up_all(std::shared_ptr<PeerLines>, Peer& peer, std::vector<WaitingKey> batch) {
  auto line = take(peer);
  while (!batch.empty()) {
    std::vector<TableKey> keys;
    keys.reserve(batch.size());
    for (WaitingKey& waiting : batch) keys.push_back(std::move(waiting.key));
    auto answer = co_await line->exchange(kLookUpsPath, encode_keys(keys));
    deliver(batch, answer);
    batch = take_batch(peer);
  }
  --peer.lines;
  give_back(peer, std::move(line));
}

void PeerLines::close() {
  closed_ = true;
  for (auto& [address, peer] : peers_) peer.idle.clear();
  for (PeerLine* line : in_use_) line->close();
  clock_.cancel();
}

}  // namespace millrace::inline server
