#include "server/http/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <deque>
#include <thread>
#include <unordered_set>
#include <vector>

#include "parser/error/letter_case.h"
#include "parser/error/mutex.h"
#include "server/http/connection.h"
#include "server/http/gzip.h"
#include "server/http/handlers.h"
#include "server/http/http_text.h"
#include "server/http/insert_stream.h"
#include "server/http/io_here.h"
#include "server/http/operate.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr int kStatementThreads = 4, kQueryThreads = 16, kInsertThreads = 4;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::chrono::milliseconds kAcceptRest{100};

/// Short and printable: it comes back in a header, and stands in logs.
bool is_request_id(std::string_view id) {
  constexpr std::size_t kLongest = 128;
  return !id.empty() && id.size() <= kLongest &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 32 && c < 127; });
}

/// A thread and the connections that belong to it.
struct IoThread {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running{io.get_executor()};
  asio::steady_timer clock{io};
  std::vector<char> buffer = std::vector<char>(kReadBytes);
  std::unordered_set<std::shared_ptr<Connection>> connections;  // of this thread only
  ConnectionContext context;
  std::thread thread;

  void tick() {
    clock.expires_after(std::chrono::seconds(1));
    clock.async_wait([this](boost::system::error_code error) {
      if (error) return;
      const std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
      for (const auto& connection : all) connection->tick(Protocol::Clock::now());
      tick();
    });
  }
  template <class Do>
  void for_all(Do&& make) {
    asio::post(io, [this, make] {
      const std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
      for (const auto& connection : all) make(*connection);
    });
  }
};

struct Listener {
  explicit Listener(asio::io_context& io) : acceptor(io), rest(io) {}
  tcp::acceptor acceptor;
  asio::steady_timer rest;
  bool tls = false;
};

class AsioHttpServer final : public HttpServer, private RequestHandler {
 public:
  explicit AsioHttpServer(const HttpOptions& options)
      : options_(options),
        security_(options.security),
        statements_(kStatementThreads),
        queries_(kQueryThreads),
        inserts_(kInsertThreads) {
    for (int i = 0; i < options_.threads; ++i) {
      IoThread& thread = io_.emplace_back();
      thread.context.limits = options_.limits;
      thread.context.handler = this;
      thread.context.forget = [this, &thread](const std::shared_ptr<Connection>& connection) {
        thread.connections.erase(connection);
        --connections_;
      };
    }
  }
  ~AsioHttpServer() override { stop(); }

  Status open() {
    bool has_tls = false;
    for (const HttpListener& wanted : options_.listeners) {
      if (wanted.tls && !std::exchange(has_tls, true))
        if (Status read = reload_tls(); !read) return read;
      if (Status opened = open(wanted); !opened) return opened;
    }
    for (Listener& listener : listeners_) accept(listener);
    for (IoThread& thread : io_) {
      thread.tick();
      thread.thread = std::thread([&thread] { IoHere::run(thread.io); });
    }
    running_ = true;
    return {};
  }

  int port() const override { return port_; }

  void serve(Service& service) override {
    service_ = &service;
    auto starting = ServiceStage::starting;
    stage_.compare_exchange_strong(starting, ServiceStage::serving);
  }

  Status reload_tls() override {
    if (std::none_of(options_.listeners.begin(), options_.listeners.end(),
                     [](const HttpListener& listener) { return listener.tls; }))
      return {};
    auto context = make_tls_server(options_.tls);
    if (!context) return context.error();
    const MutexLock lock(mutex_);
    tls_ = *context;
    return {};
  }

  void secure(std::shared_ptr<const HttpSecurity> security) override {
    if (!security) return;
    const MutexLock lock(mutex_);
    security_.swap(security);
  }

  void stop() override {
    if (stage_.exchange(ServiceStage::stopping) == ServiceStage::stopping) return;
    if (running_) drain();
    {
      MutexLock lock(mutex_);
      idle_.wait(lock, [&] { return handling_ == 0; });
    }
    for (asio::thread_pool* pool : {&statements_, &queries_, &inserts_}) pool->join();
    ender_.finish();
    for (IoThread& thread : io_) thread.io.stop();
    for (IoThread& thread : io_)
      if (thread.thread.joinable()) thread.thread.join();
  }

 private:
  Status open(const HttpListener& wanted) {
    Listener& listener = listeners_.emplace_back(io_.front().io);
    listener.tls = wanted.tls;
    boost::system::error_code error;
    tcp::resolver resolver(io_.front().io);
    auto found = resolver.resolve(wanted.host, std::to_string(wanted.port), error);
    if (error) return user_error("cannot listen on {}: {}", wanted.host, error.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp::acceptor& acceptor = listener.acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return user_error("cannot listen on {}:{}: {}", wanted.host, wanted.port, error.message());
    if (port_ == 0) port_ = acceptor.local_endpoint().port();
    return {};
  }

  void accept(Listener& listener) {
    next_ = (next_ + 1) % io_.size();
    IoThread& thread = io_[next_];
    listener.acceptor.async_accept(thread.io.get_executor(), [this, &listener, &thread](boost::system::error_code error,
                                                                                        Connection::Socket socket) {
      if (error == asio::error::operation_aborted || !listener.acceptor.is_open()) return;
      if (error) return rest(listener, error);
      accepted(listener, thread, std::move(socket));
      accept(listener);
    });
  }

  /// No descriptor is left, or the like: that does not get better by asking again at once.
  void rest(Listener& listener, const boost::system::error_code& error) {
    spdlog::warn("accept: {}", error.message());
    listener.rest.expires_after(kAcceptRest);
    listener.rest.async_wait([this, &listener](boost::system::error_code stopped) {
      if (!stopped && listener.acceptor.is_open()) accept(listener);
    });
  }

  void accepted(Listener& listener, IoThread& thread, Connection::Socket socket) {
    boost::system::error_code ignored;
    if (connections_ >= options_.limits.connections) {
      constexpr std::string_view kRefusal =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      if (!listener.tls) socket.write_some(asio::buffer(kRefusal), ignored);
      return;
    }
    ++connections_;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    TlsContextPtr tls;
    if (listener.tls) {
      const MutexLock lock(mutex_);
      tls = tls_;
    }
    auto connection = std::make_shared<Connection>(std::move(socket), thread.context, thread.buffer, tls);
    asio::post(thread.io, [&thread, connection] {
      thread.connections.insert(connection);
      connection->start();
    });
  }

  void drain() {
    asio::post(io_.front().io, [this] {
      boost::system::error_code ignored;
      for (Listener& listener : listeners_) {
        listener.acceptor.close(ignored);
        listener.rest.cancel();
      }
    });
    streams_.stop_all();
    for (IoThread& thread : io_) thread.for_all([](Connection& connection) { connection.drain(); });
    const auto deadline = std::chrono::steady_clock::now() + options_.limits.drain_time;
    while (connections_ > 0 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    // Answers hold on to queries, which must not outlive the service.
    while (connections_ > 0) {
      for (IoThread& thread : io_) thread.for_all([](Connection& connection) { connection.lost(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  /// Headers that the request asks for. True: it was a question of a browser, and is answered.
  bool greet(const HttpRequest& request, Responder& responder) const {
    if (const auto id = request.header("x-request-id"); id && is_request_id(*id))
      responder.add_header("X-Request-ID", std::string(*id));
    const auto origin = request.header("origin");
    if (origin || request.header("sec-fetch-site")) {
      responder.add_header("X-Content-Type-Options", "nosniff");
      responder.add_header("X-Frame-Options", "DENY");
      responder.add_header("Referrer-Policy", "no-referrer");
      responder.add_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    }
    if (!origin || !options_.cors.allows(*origin)) return false;
    responder.add_header("Access-Control-Allow-Origin", std::string(*origin));
    responder.add_header("Access-Control-Expose-Headers", "X-Request-ID");
    responder.add_header("Vary", "Origin");
    if (request.method != "OPTIONS") return false;
    responder.respond(204, "", "",
                      {{"Access-Control-Allow-Methods", options_.cors.methods},
                       {"Access-Control-Allow-Headers", options_.cors.headers},
                       {"Access-Control-Max-Age", "600"}});
    return true;
  }

  std::shared_ptr<BodyReceiver> begin(HttpRequest& request, const std::shared_ptr<Responder>& responder) override {
    if (greet(request, *responder)) return nullptr;
    if (is_peer_path(request.path)) {
      if (!options_.peers.admits(request, security() != nullptr))
        responder->respond(401, "application/json",
                           boost::json::serialize(service_error(kUnauthorized, "Unauthorized").to_json()));
      return nullptr;
    }
    if (const auto security = this->security())
      if (const auto refused = security->admit(request)) {
        note_refusal(request, *refused);
        HttpHeaders headers;
        if (refused->code == kUnauthorized) headers.emplace_back("WWW-Authenticate", security->challenge());
        responder->respond(refused->code / 100, "application/json", boost::json::serialize(refused->to_json()),
                           headers);
        return nullptr;
      }
    if (request.method != "POST" || request.path != "/inserts-stream") return nullptr;
    Service* service = begin_work();
    if (service == nullptr) {
      done();
      return nullptr;
    }
    auto stream = std::make_shared<InsertStream>(
        *service, responder, request.accept,
        [this, service, request](const std::string& target) -> std::optional<ServiceError> {
          std::optional<ServiceError> denied;
          const auto security = this->security();
          if (security && security->access && request.user)
            denied = security->access->check_insert(*request.user, target, service->catalog());
          audit(request, *service, "INSERT", "INSERT INTO " + target, denied ? &*denied : nullptr);
          return denied;
        },
        [this](std::function<void()> work) { asio::post(inserts_, std::move(work)); }, [this] { done(); });
    const auto id = std::make_shared<std::uint64_t>(0);
    *id = streams_.add([weak = std::weak_ptr(stream)] {
      if (auto self = weak.lock()) self->shut_down();
    });
    return {stream.get(), [this, stream, id](BodyReceiver*) { streams_.remove(*id); }};
  }

  /// Handlers may wait for the client or the engine, so they run outside the connection's thread; queries apart from
  /// statements, so that neither holds up the other. What needs no waiting is answered right here.
  void handle(HttpRequest&& request, std::shared_ptr<Responder> responder) override {
    if (takes_gzip(request)) responder = gzip_responder(std::move(responder));
    const std::string encoding = lower_case(request.header("content-encoding").value_or(""));
    if (!encoding.empty() && encoding != "identity") {
      const bool known = encoding == "gzip" || encoding == "x-gzip";
      auto text = known ? gunzip(request.body, options_.limits.body_bytes) : std::nullopt;
      if (!text)
        return responder->respond(known ? 400 : 415, "application/json",
                                  boost::json::serialize(service_error(known ? kBadRequest : kUnknownEncoding,
                                                                       "The body's Content-Encoding cannot be read")
                                                             .to_json()));
      request.body = std::move(*text);
    }
    Service* service = begin_work();
    if (service != nullptr && is_peer_path(request.path)) {
      answer_peer(request, responder, *service,
                  [this](std::function<void()> work) { asio::post(queries_, std::move(work)); });
      return done();
    }
    // What is noted may have to wait, what is counted may be refused.
    const bool noted =
        (service != nullptr && service->audits()) || (options_.terms.rates && options_.terms.rates->limits_requests());
    if (service != nullptr && !noted && may_do_all(request) &&
        handle_quick(request, responder, *service, options_.terms))
      return done();
    const Pace pace = pace_of(request);
    if (pace == Pace::quick || service == nullptr) return answer(request, std::move(responder));
    asio::post(pace == Pace::query ? queries_ : statements_,
               [this, request = std::move(request), responder = std::move(responder)]() mutable {
                 answer(request, std::move(responder));
               });
  }

  /// A request that nobody known made, or a user that may not use the server.
  void note_refusal(const HttpRequest& request, const ServiceError& error) {
    if (Service* service = begin_work()) audit(request, *service, "LOGIN", request.method + " " + request.path, &error);
    done();
  }

  /// Null: everybody may do everything.
  std::shared_ptr<const HttpSecurity> security() {
    if (!options_.security) return nullptr;
    const MutexLock lock(mutex_);
    return security_;
  }
  bool may_do_all(const HttpRequest& request) {
    const auto security = this->security();
    return !security || !security->access || (request.user && security->access->is_unlimited(*request.user));
  }

  /// Counts a request in before it looks whether it may go on: stop() counts after it has said that none may.
  Service* begin_work() {
    ++handling_;
    return stage_ == ServiceStage::serving ? service_.load() : nullptr;
  }
  void done() {
    if (--handling_ > 0 || stage_ != ServiceStage::stopping) return;
    const MutexLock lock(mutex_);
    idle_.notify_all();
  }

  void answer(const HttpRequest& request, std::shared_ptr<Responder> responder) {
    const auto security = this->security();
    const Access* access = security ? security->access.get() : nullptr;
    HandlerContext context{.ender = ender_, .streams = streams_, .access = access, .terminate = [this] {
                             auto serving = ServiceStage::serving;
                             stage_.compare_exchange_strong(serving, ServiceStage::terminated);
                           }};
    context.terms = options_.terms;
    context.stage = stage_;
    context.service = context.stage == ServiceStage::serving ? service_.load() : nullptr;
    millrace::server::handle(request, responder, context);
    responder.reset();
    done();
  }

  const HttpOptions options_;
  Mutex mutex_;
  std::shared_ptr<const HttpSecurity> security_ GUARDED_BY(mutex_);
  TlsContextPtr tls_ GUARDED_BY(mutex_);
  std::condition_variable idle_;
  std::deque<IoThread> io_;
  std::deque<Listener> listeners_;
  std::size_t next_ = 0;
  asio::thread_pool statements_, queries_, inserts_;
  QueryEnder ender_;
  LiveStreams streams_;
  std::atomic<std::size_t> connections_ = 0;
  int port_ = 0;
  bool running_ = false;
  std::atomic<Service*> service_ = nullptr;
  std::atomic<ServiceStage> stage_ = ServiceStage::starting;
  std::atomic<int> handling_ = 0;
};

}  // namespace

bool HttpCors::allows(std::string_view origin) const {
  return std::any_of(origins.begin(), origins.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpOptions& options) {
  auto server = std::make_unique<AsioHttpServer>(options);
  if (Status opened = server->open(); !opened) return opened.error();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace millrace::inline server
