#include "server/http/peers.h"

#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <set>
#include <thread>

#include "parser/error/mutex.h"
#include "server/http/peer_line.h"
#include "server/http/peer_wire.h"

namespace millrace::inline server {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kLinesForKeys = 2;    // to one process at a time
constexpr std::size_t kKeysTogether = 256;  // in one request
constexpr std::size_t kPagesAhead = 4;      // of a scan, that wait for whoever reads it
constexpr std::chrono::milliseconds kTick{500};
constexpr std::chrono::hours kForever{24};
constexpr std::chrono::seconds kReportWait{2};

Error stopping() {
  return unavailable_error("this process is stopping");
}

/// What a scan has brought so far, between the thread that reads it and the one that takes its pages.
struct PeerScan {
  explicit PeerScan(asio::io_context& io) : room(io) {}
  Mutex mutex;
  std::condition_variable came;
  std::deque<Result<TablePages::Page>> pages GUARDED_BY(mutex);
  bool over GUARDED_BY(mutex) = false;  // nobody takes them any more
  asio::steady_timer room;              // cancelled when pages were taken; the thread of the lines

  bool full() {
    const MutexLock lock(mutex);
    return pages.size() >= kPagesAhead && !over;
  }
  bool is_over() {
    const MutexLock lock(mutex);
    return over;
  }
  void put(Result<TablePages::Page> page) {
    const MutexLock lock(mutex);
    pages.push_back(std::move(page));
    came.notify_all();
  }
};

class PeerPages final : public TablePages {
 public:
  PeerPages(std::shared_ptr<PeerScan> scan, asio::io_context& io) : scan_(std::move(scan)), io_(io) {}
  ~PeerPages() override {
    {
      const MutexLock lock(scan_->mutex);
      scan_->over = true;
    }
    go_on();
  }
  Result<Page> next() override {
    MutexLock lock(scan_->mutex);
    scan_->came.wait(lock, [&]() REQUIRES(scan_->mutex) { return !scan_->pages.empty(); });
    auto page = std::move(scan_->pages.front());
    scan_->pages.pop_front();
    const bool was_full = scan_->pages.size() + 1 == kPagesAhead;
    lock.unlock();
    if (was_full) go_on();
    return page;
  }

 private:
  void go_on() {
    asio::post(io_, [scan = scan_] { scan->room.cancel(); });
  }
  const std::shared_ptr<PeerScan> scan_;
  asio::io_context& io_;
};

/// What processes answer, as far as they have.
struct GatheredReports {
  explicit GatheredReports(std::size_t count) : reports(count, unavailable_error("no answer in time")), left(count) {}
  Mutex mutex;
  std::condition_variable came;
  std::vector<Result<std::string>> reports GUARDED_BY(mutex);
  std::size_t left GUARDED_BY(mutex);
};

struct WaitingKey {
  TableKey key;
  TableFound found;
};

/// One of the other processes.
struct Peer {
  std::string address;
  std::deque<WaitingKey> waiting;
  std::size_t lines = 0;  // that look keys up
  std::size_t taken = 0;  // of its lines
  std::vector<std::unique_ptr<PeerLine>> idle;
  std::chrono::steady_clock::time_point last_taken;

  bool is_silent_since(std::chrono::steady_clock::time_point then) const {
    return waiting.empty() && lines == 0 && taken == 0 && last_taken < then;
  }
};

class PeersImpl final : public ServicePeers {
 public:
  PeersImpl(TlsContextPtr tls, const PeerOptions& options)
      : tls_(tls.get()),
        authorization_(options.secret.empty() ? "" : std::string(kPeerScheme) + options.secret),
        forget_after_(options.forget_after) {
    SSL_CTX_up_ref(tls.get());  // tls_ gives back one
    tick();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~PeersImpl() override { stop(); }

  void look_up(const std::string& address, TableKey key, TableFound found) override {
    {
      const MutexLock lock(mutex_);
      if (!stopped_) {
        arrived_.emplace_back(address, WaitingKey{std::move(key), std::move(found)});
        if (!std::exchange(posted_, true)) asio::post(io_, [this] { take_arrived(); });
        return;
      }
    }
    found(stopping());
  }

  std::unique_ptr<TablePages> scan(const std::string& address, const TableRange& range) override {
    auto scan = std::make_shared<PeerScan>(io_);
    auto pages = std::make_unique<PeerPages>(scan, io_);
    const MutexLock lock(mutex_);
    if (stopped_) {
      scan->put(stopping());
    } else {
      asio::co_spawn(io_, read_scan(address, encode_range(range), range.partitions.size(), scan), asio::detached);
    }
    return pages;
  }

  std::vector<Result<std::string>> reports(const std::vector<std::string>& addresses) override {
    std::vector<std::pair<std::string, std::string>> questions;
    for (const std::string& address : addresses) questions.emplace_back(address, "");
    return ask_all(kReportPath, questions, kReportWait);
  }

  std::vector<Result<LoanAnswer>> ask_loans(const std::vector<std::pair<std::string, LoanQuestion>>& questions,
                                            std::chrono::milliseconds wait) override {
    std::vector<std::pair<std::string, std::string>> encoded;
    for (const auto& [address, question] : questions) encoded.emplace_back(address, encode_loan_question(question));
    std::vector<Result<LoanAnswer>> answers;
    for (auto& bytes : ask_all(kLoansPath, encoded, wait)) {
      auto answer = bytes ? decode_loan_answer(*bytes) : std::nullopt;
      if (answer)
        answers.emplace_back(std::move(*answer));
      else
        answers.emplace_back(bytes ? unavailable_error("another process answers in another form") : bytes.error());
    }
    return answers;
  }

  void stop() override {
    {
      const MutexLock lock(mutex_);
      if (std::exchange(stopped_, true)) return;
    }
    asio::post(io_, [this] {
      closing_ = true;
      take_arrived();
      for (auto& [address, peer] : peers_) {
        fail_waiting(peer, stopping());
        peer.idle.clear();
      }
      for (PeerLine* line : in_use_) line->close();
      for (PeerScan* scan : waiting_scans_) scan->room.cancel();
      clock_.cancel();
      keep_running_.reset();
    });
    thread_.join();
  }

 private:
  std::vector<Result<std::string>> ask_all(std::string_view path,
                                           const std::vector<std::pair<std::string, std::string>>& questions,
                                           std::chrono::milliseconds wait) {
    const auto gathered = std::make_shared<GatheredReports>(questions.size());
    {
      const MutexLock lock(mutex_);
      if (stopped_) return std::vector<Result<std::string>>(questions.size(), stopping());
      for (std::size_t i = 0; i < questions.size(); ++i)
        asio::co_spawn(io_, ask_one(path, questions[i].first, questions[i].second, i, gathered), asio::detached);
    }
    MutexLock lock(gathered->mutex);
    gathered->came.wait_for(lock, wait, [&]() REQUIRES(gathered->mutex) { return gathered->left == 0; });
    return gathered->reports;
  }

  void tick() {
    clock_.expires_after(kTick);
    clock_.async_wait([this](boost::system::error_code stopped) {
      if (stopped) return;
      const auto now = std::chrono::steady_clock::now();
      for (PeerLine* line : in_use_) line->check_time(now);
      std::erase_if(peers_, [&](const auto& peer) { return peer.second.is_silent_since(now - forget_after_); });
      tick();
    });
  }

  void take_arrived() {
    std::vector<std::pair<std::string, WaitingKey>> arrived;
    {
      const MutexLock lock(mutex_);
      arrived.swap(arrived_);
      posted_ = false;
    }
    std::set<Peer*> asked;
    for (auto& [address, key] : arrived) {
      Peer& peer = peer_at(address);
      peer.waiting.push_back(std::move(key));
      asked.insert(&peer);
    }
    for (Peer* peer : asked) send_waiting(*peer);
  }

  Peer& peer_at(const std::string& address) {
    Peer& peer = peers_[address];
    if (peer.address.empty()) peer.address = address;
    return peer;
  }

  void send_waiting(Peer& peer) {
    if (closing_) return fail_waiting(peer, stopping());
    while (!peer.waiting.empty() && peer.lines < kLinesForKeys) {
      ++peer.lines;
      std::vector<WaitingKey> batch = take_batch(peer);
      asio::co_spawn(io_, look_up_all(peer, std::move(batch)), asio::detached);
    }
  }

  static std::vector<WaitingKey> take_batch(Peer& peer) {
    std::vector<WaitingKey> batch;
    while (!peer.waiting.empty() && batch.size() < kKeysTogether) {
      batch.push_back(std::move(peer.waiting.front()));
      peer.waiting.pop_front();
    }
    return batch;
  }

  static void fail_waiting(Peer& peer, const Error& why) {
    std::deque<WaitingKey> waiting;
    waiting.swap(peer.waiting);
    for (WaitingKey& key : waiting) key.found(why);
  }

  std::unique_ptr<PeerLine> take_line(Peer& peer) {
    std::unique_ptr<PeerLine> line;
    if (!peer.idle.empty()) {
      line = std::move(peer.idle.back());
      peer.idle.pop_back();
    } else {
      line = std::make_unique<PeerLine>(io_, peer.address, tls_, authorization_);
    }
    ++peer.taken;
    peer.last_taken = std::chrono::steady_clock::now();
    in_use_.insert(line.get());
    return line;
  }

  void give_back(Peer& peer, std::unique_ptr<PeerLine> line) {
    in_use_.erase(line.get());
    --peer.taken;
    if (line->is_idle() && !closing_) peer.idle.push_back(std::move(line));
  }

  /// One request after the other, as long as keys wait: those that come meanwhile go together.
  asio::awaitable<void> look_up_all(Peer& peer, std::vector<WaitingKey> batch) {
    auto line = take_line(peer);
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

  static void deliver(const std::vector<WaitingKey>& batch, const Result<std::string>& answer) {
    auto found = answer ? decode_answers(*answer) : std::nullopt;
    if (found && found->size() == batch.size()) {
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i].found(std::move((*found)[i]));
      return;
    }
    const Error why = answer ? unavailable_error("another process answers in another form") : answer.error();
    for (const WaitingKey& key : batch) key.found(why);
  }

  asio::awaitable<void> ask_one(std::string_view path, std::string address, std::string body, std::size_t i,
                                std::shared_ptr<GatheredReports> gathered) {
    Peer& peer = peer_at(address);
    auto line = take_line(peer);
    if (closing_) line->close();
    auto report = co_await line->exchange(path, body);
    give_back(peer, std::move(line));
    const MutexLock lock(gathered->mutex);
    gathered->reports[i] = std::move(report);
    if (--gathered->left == 0) gathered->came.notify_all();
  }

  asio::awaitable<void> read_scan(std::string address, std::string request, std::size_t partitions,
                                  std::shared_ptr<PeerScan> scan) {
    Peer& peer = peer_at(address);
    auto line = take_line(peer);
    if (closing_) line->close();
    Status outcome = co_await line->begin(kScanPath, request);
    std::string bytes;
    std::size_t at = 0;
    while (outcome && partitions > 0 && !scan->is_over()) {
      if (scan->full() && !closing_) {
        waiting_scans_.insert(scan.get());
        scan->room.expires_after(kForever);
        boost::system::error_code woken;
        co_await scan->room.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        waiting_scans_.erase(scan.get());
        continue;
      }
      bool broken = false;
      if (auto page = take_page(bytes, at, broken)) {
        if (broken) {
          outcome = unavailable_error("{} answers in another form", address);
        } else {
          partitions = *page ? partitions - ((*page)->last ? 1 : 0) : 0;
          scan->put(std::move(*page));
        }
        continue;
      }
      bytes.erase(0, std::exchange(at, 0));
      auto more = co_await line->more();
      if (more && more->empty()) more = unavailable_error("the process at {} ended its answer too early", address);
      if (more)
        bytes += *more;
      else
        outcome = more.error();
    }
    if (!outcome) scan->put(outcome.error());
    // The end of the answer, so that the connection can be used again.
    if (outcome && partitions == 0)
      if (const auto end = co_await line->more(); !end || !end->empty()) line->close();
    give_back(peer, std::move(line));
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_{io_.get_executor()};
  asio::steady_timer clock_{io_};
  asio::ssl::context tls_;
  const std::string authorization_;
  const std::chrono::milliseconds forget_after_;

  Mutex mutex_;
  std::vector<std::pair<std::string, WaitingKey>> arrived_ GUARDED_BY(mutex_);
  bool posted_ GUARDED_BY(mutex_) = false;  // somebody takes them soon
  bool stopped_ GUARDED_BY(mutex_) = false;

  // Of the thread.
  std::map<std::string, Peer> peers_;  // by address; those that were asked lately
  std::set<PeerLine*> in_use_;
  std::set<PeerScan*> waiting_scans_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::shared_ptr<ServicePeers>> Peers::make(const PeerOptions& options) {
  auto tls = make_tls_client(options.tls);
  if (!tls) return tls.error();
  return std::shared_ptr<ServicePeers>(std::make_shared<PeersImpl>(std::move(*tls), options));
}

PeerAddress parse_peer_address(std::string_view text) {
  PeerAddress address;
  constexpr std::string_view kPlain = "http://", kTls = "https://";
  address.tls = text.starts_with(kTls);
  if (address.tls)
    text.remove_prefix(kTls.size());
  else if (text.starts_with(kPlain))
    text.remove_prefix(kPlain.size());
  while (text.ends_with('/')) text.remove_suffix(1);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    address.host = text;
    address.port = "8088";
  } else {
    address.host = text.substr(0, colon);
    address.port = text.substr(colon + 1);
  }
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  return address;
}

}  // namespace millrace::inline server
