#include "server/http/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "server/http/connection.h"
#include "server/http/handlers.h"

namespace millrace::inline server {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr int kSlowThreads = 4;  // of each kind of request that may wait

class AsioHttpServer final : public HttpServer {
 public:
  explicit AsioHttpServer(const HttpOptions& options)
      : options_(options), acceptor_(io_.emplace_back(1)), slow_(kSlowThreads), queries_(kSlowThreads) {
    for (int i = 1; i < options_.threads; ++i) io_.emplace_back(1);
  }
  ~AsioHttpServer() override { stop(); }

  Status open() {
    boost::system::error_code error;
    tcp::resolver resolver(io_.front());
    auto found = resolver.resolve(options_.host, std::to_string(options_.port), error);
    if (error) return user_error("cannot listen on {}: {}", options_.host, error.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return user_error("cannot listen on {}:{}: {}", options_.host, options_.port, error.message());
    port_ = acceptor_.local_endpoint().port();
    accept();
    for (asio::io_context& io : io_) {
      keep_running_.emplace_back(io.get_executor());
      threads_.emplace_back([&io] { io.run(); });
    }
    return {};
  }

  int port() const override { return port_; }

  void serve(Service& service) override {
    std::lock_guard lock(mutex_);
    service_ = &service;
    stage_ = ServiceStage::serving;
  }

  void stop() override {
    {
      std::unique_lock lock(mutex_);
      if (stage_ == ServiceStage::stopping) return;
      stage_ = ServiceStage::stopping;
      service_ = nullptr;
    }
    asio::post(io_.front(), [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    });
    close_connections();
    {
      std::unique_lock lock(mutex_);
      idle_.wait_for(lock, std::chrono::seconds(10), [&] { return handling_ == 0; });
    }
    slow_.join();
    queries_.join();
    for (asio::io_context& io : io_) io.stop();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void accept() {
    next_ = (next_ + 1) % io_.size();
    acceptor_.async_accept(
        io_[next_].get_executor(), [this](boost::system::error_code error, Connection::Socket socket) {
          if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
          if (!error) {
            boost::system::error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            auto connection =
                std::make_shared<Connection>(std::move(socket), options_.max_body_bytes,
                                             [this](HttpRequest&& request, std::shared_ptr<Responder> responder) {
                                               dispatch(std::move(request), std::move(responder));
                                             });
            remember(connection);
            connection->start();
          } else {
            spdlog::warn("accept: {}", error.message());
          }
          accept();
        });
  }

  void remember(const std::shared_ptr<Connection>& connection) {
    std::lock_guard lock(mutex_);
    if (connections_.size() > 64 && connections_.size() > 2 * live_estimate_) {
      std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
      live_estimate_ = connections_.size();
    }
    connections_.push_back(connection);
  }

  void close_connections() {
    std::vector<std::weak_ptr<Connection>> all;
    {
      std::lock_guard lock(mutex_);
      all = connections_;
    }
    for (const auto& weak : all)
      if (auto connection = weak.lock()) connection->close();
  }

  /// Handlers may wait for the client or the engine, so they run outside the connection's thread; queries apart from
  /// statements, so that neither holds up the other. What needs no waiting is answered right here.
  void dispatch(HttpRequest&& request, std::shared_ptr<Responder> responder) {
    Service* service = begin();
    if (service != nullptr && handle_quick(request, responder, *service)) return done();
    const Pace pace = pace_of(request);
    if (pace == Pace::quick || service == nullptr) return answer(request, std::move(responder));
    asio::post(pace == Pace::query ? queries_ : slow_,
               [this, request = std::move(request), responder = std::move(responder)]() mutable {
                 answer(request, std::move(responder));
               });
  }

  Service* begin() {
    std::lock_guard lock(mutex_);
    ++handling_;
    return service_;
  }
  void done() {
    std::lock_guard lock(mutex_);
    if (--handling_ == 0) idle_.notify_all();
  }

  void answer(const HttpRequest& request, std::shared_ptr<Responder> responder) {
    Service* service = nullptr;
    ServiceStage stage;
    {
      std::lock_guard lock(mutex_);
      service = service_;
      stage = stage_;
    }
    handle(request, responder, service, stage);
    responder.reset();
    done();
  }

  const HttpOptions options_;
  std::deque<asio::io_context> io_;  // a thread each
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> keep_running_;
  tcp::acceptor acceptor_;
  std::size_t next_ = 0;
  asio::thread_pool slow_, queries_;
  std::vector<std::thread> threads_;
  int port_ = 0;

  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  Service* service_ = nullptr;
  ServiceStage stage_ = ServiceStage::starting;
  int handling_ = 0;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::size_t live_estimate_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpOptions& options) {
  auto server = std::make_unique<AsioHttpServer>(options);
  if (Status opened = server->open(); !opened) return opened.error();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace millrace::inline server
