#include "server/http/peers.h"

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
#include "server/http/io_here.h"
#include "server/http/peer_lines.h"
#include "server/http/peer_wire.h"

namespace millrace::inline server {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPagesAhead = 4;  // of a scan, that wait for whoever reads it
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

class PeersImpl final : public ServicePeers {
 public:
  PeersImpl(TlsContextPtr tls, const PeerOptions& options)
      : tls_(std::move(tls)),
        authorization_(options.secret.empty() ? "" : std::string(kPeerScheme) + options.secret),
        forget_after_(options.forget_after),
        lines_(make_lines(io_)) {
    thread_ = std::thread([this] { io_.run(); });
  }
  ~PeersImpl() override { stop(); }

  void look_up(const std::string& address, TableKey key, TableFound found) override {
    std::shared_ptr<PeerLines> here;
    {
      const MutexLock lock(mutex_);
      if (!stopped_) {
        here = lines_here();
        if (here == nullptr) {
          arrived_.push_back({address, std::move(key), std::move(found)});
          if (!std::exchange(posted_, true)) asio::post(io_, [this] { take_arrived(); });
          return;
        }
      }
    }
    if (here == nullptr) return found(stopping());
    here->look_up(address, std::move(key), std::move(found));
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
      take_arrived();
      lines_->close();
      for (PeerScan* scan : waiting_scans_) scan->room.cancel();
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

  std::shared_ptr<PeerLines> make_lines(asio::io_context& io) const {
    return std::make_shared<PeerLines>(io, *tls_, authorization_, forget_after_);
  }

  /// The lines of the calling thread, if it has connections.
  std::shared_ptr<PeerLines> lines_here() REQUIRES(mutex_) {
    IoHere* here = IoHere::get();
    if (here == nullptr) return nullptr;
    std::weak_ptr<PeerLines>& known = lines_of_[&here->io];
    if (auto lines = known.lock()) return lines;
    auto made = make_lines(here->io);
    known = made;
    here->ends.push_back([made] { made->close(); });  // which keeps them as long as the thread
    return made;
  }

  void take_arrived() {
    std::vector<ArrivedKey> arrived;
    {
      const MutexLock lock(mutex_);
      arrived.swap(arrived_);
      posted_ = false;
    }
    for (ArrivedKey& one : arrived) lines_->look_up(one.address, std::move(one.key), std::move(one.found));
  }

  asio::awaitable<void> ask_one(std::string_view path, std::string address, std::string body, std::size_t i,
                                std::shared_ptr<GatheredReports> gathered) {
    PeerLines::Peer& peer = lines_->peer_at(address);
    auto line = lines_->take(peer);
    auto report = co_await line->exchange(path, body);
    lines_->give_back(peer, std::move(line));
    const MutexLock lock(gathered->mutex);
    gathered->reports[i] = std::move(report);
    if (--gathered->left == 0) gathered->came.notify_all();
  }

  asio::awaitable<void> read_scan(std::string address, std::string request, std::size_t partitions,
                                  std::shared_ptr<PeerScan> scan) {
    PeerLines::Peer& peer = lines_->peer_at(address);
    auto line = lines_->take(peer);
    Status outcome = co_await line->begin(kScanPath, request);
    std::string bytes;
    std::size_t at = 0;
    while (outcome && partitions > 0 && !scan->is_over()) {
      if (scan->full() && !lines_->closed()) {
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
    lines_->give_back(peer, std::move(line));
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_{io_.get_executor()};
  const TlsContextPtr tls_;
  const std::string authorization_;
  const std::chrono::milliseconds forget_after_;

  /// A look-up that no thread with connections asked for.
  struct ArrivedKey {
    std::string address;
    TableKey key;
    TableFound found;
  };
  Mutex mutex_;
  std::vector<ArrivedKey> arrived_ GUARDED_BY(mutex_);
  bool posted_ GUARDED_BY(mutex_) = false;  // somebody takes them soon
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::map<asio::io_context*, std::weak_ptr<PeerLines>> lines_of_ GUARDED_BY(mutex_);

  // Of the thread.
  const std::shared_ptr<PeerLines> lines_;
  std::set<PeerScan*> waiting_scans_;
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
