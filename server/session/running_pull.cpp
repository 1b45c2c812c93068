#include "server/session/running_pull.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "parser/error/mutex.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::chrono::seconds kSlowestClient{60};

/// A pull query under way. One thread runs it at a time, or none: while its sink is full.
class PullRun {
 public:
  PullRun(QueryHeader header, std::shared_ptr<TableRows> source, ResultSink& sink, std::string token)
      : header_(std::move(header)), source_(std::move(source)), sink_(sink), token_(std::move(token)) {}

  enum class Step { done, full };
  const std::string& id() const { return header_.query_id; }

  /// Until the end, or until the sink is full. An error before anything was given is left to the caller.
  Step run(std::optional<ServiceError>* early = nullptr) {
    while (!cancelled()) {
      if (!waiting_ && !fetch()) break;
      if (!begun_) sink_.begin(header_);
      begun_ = true;
      if (!sink_.rows(*waiting_)) return Step::full;
      waiting_.reset();
    }
    if (cancelled()) return Step::done;
    if (failure_ && !begun_ && early != nullptr) {
      *early = std::move(failure_);
      return Step::done;
    }
    if (!begun_) sink_.begin(header_);
    if (!token_.empty() && !failure_) sink_.token(token_);
    sink_.end(std::nullopt, std::move(failure_));
    return Step::done;
  }

 private:
  friend class PullHandle;
  bool cancelled() {
    const MutexLock lock(mutex_);
    return cancelled_;
  }
  bool fetch() {
    if (source_ == nullptr) return false;
    auto next = source_->next();
    if (!next) failure_ = to_service_error(next.error());
    if (!next || !*next) {
      source_.reset();  // lets go of what it holds of the store
      return false;
    }
    waiting_ = std::move(**next);
    return true;
  }

  /// The client does not take its rows: what the query holds of the store goes.
  void give_up() {
    source_.reset();
    waiting_.reset();
    failure_ = service_error(kServerError, "The rows of the pull query were not taken for a minute.");
  }

  const QueryHeader header_;
  std::shared_ptr<TableRows> source_;
  ResultSink& sink_;
  const std::string token_;
  std::optional<Batch> waiting_;
  std::optional<ServiceError> failure_;
  bool begun_ = false;

  Mutex mutex_;
  std::condition_variable stopped_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool running_ GUARDED_BY(mutex_) = false, resumed_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<PullThreads::Timer> patience_ GUARDED_BY(mutex_);  // while the sink is full
};

class PullHandle final : public RunningQuery {
 public:
  PullHandle(std::shared_ptr<PullRun> run, PullThreads& threads) : run_(std::move(run)), threads_(threads) {
    const MutexLock lock(run_->mutex_);
    paused(run_, threads_);
  }
  ~PullHandle() override {
    MutexLock lock(run_->mutex_);
    run_->cancelled_ = true;
    run_->stopped_.wait(lock, [&]() REQUIRES(run_->mutex_) { return !run_->running_; });
  }
  const std::string& id() const override { return run_->id(); }
  void resume() override {
    const MutexLock lock(run_->mutex_);
    run_->resumed_ = true;
    if (run_->running_ || run_->ended_) return;
    run_->running_ = true;
    run_->patience_.reset();
    threads_.post([run = run_, &threads = threads_] { go_on(run, threads); });
  }

 private:
  static void go_on(const std::shared_ptr<PullRun>& shared, PullThreads& threads) {
    PullRun& run = *shared;
    while (true) {
      {
        const MutexLock lock(run.mutex_);
        run.resumed_ = false;
      }
      const bool done = run.run() == PullRun::Step::done;
      const MutexLock lock(run.mutex_);
      // The sink may have caught up between its refusal and now.
      if (!done && run.resumed_ && !run.cancelled_) continue;
      run.ended_ = done;
      run.running_ = false;
      if (!done && !run.cancelled_) paused(shared, threads);
      run.stopped_.notify_all();
      return;
    }
  }

  /// With the lock held, when nothing runs.
  static void paused(const std::shared_ptr<PullRun>& run, PullThreads& threads) {
    run->mutex_.assert_held();
    run->patience_ = threads.after(kSlowestClient, [weak = std::weak_ptr(run)] {
      const auto waiting = weak.lock();
      if (!waiting) return;
      const MutexLock lock(waiting->mutex_);
      if (!waiting->running_ && !waiting->ended_) waiting->give_up();
    });
  }

  const std::shared_ptr<PullRun> run_;
  PullThreads& threads_;
};

}  // namespace

struct PullThreads::Pool {
  boost::asio::thread_pool threads{kThreads};
};
PullThreads::PullThreads() : pool_(std::make_unique<Pool>()) {}
PullThreads::~PullThreads() {
  pool_->threads.stop();
  pool_->threads.join();
}
class PullThreads::Timer {
 public:
  explicit Timer(boost::asio::thread_pool& threads) : timer(threads) {}
  boost::asio::steady_timer timer;
};
std::shared_ptr<PullThreads::Timer> PullThreads::after(std::chrono::milliseconds wait, std::function<void()> work) {
  auto made = std::make_shared<Timer>(pool_->threads);
  made->timer.expires_after(wait);
  made->timer.async_wait([work = std::move(work)](const boost::system::error_code& gone) {
    if (!gone) work();
  });
  return made;
}
std::shared_ptr<PullThreads::Timer> PullThreads::every(std::chrono::milliseconds wait, std::function<void()> work) {
  auto made = std::make_shared<Timer>(pool_->threads);
  const auto wait_again = [wait, work = std::move(work)](const auto& self, const std::weak_ptr<Timer>& weak) -> void {
    const auto timer = weak.lock();
    if (!timer) return;
    timer->timer.expires_after(wait);
    timer->timer.async_wait([self, weak, work](const boost::system::error_code& gone) {
      if (gone) return;
      work();
      self(self, weak);
    });
  };
  wait_again(wait_again, made);
  return made;
}
void PullThreads::post(std::function<void()> work) {
  boost::asio::post(pool_->threads, std::move(work));
}

Service::Started start_pull(QueryHeader header, std::shared_ptr<TableRows> rows, ResultSink& sink, PullThreads& threads,
                            std::string token) {
  auto run = std::make_shared<PullRun>(std::move(header), std::move(rows), sink, std::move(token));
  std::optional<ServiceError> early;
  if (run->run(&early) == PullRun::Step::done) return {nullptr, std::move(early)};
  return {std::make_unique<PullHandle>(std::move(run), threads), std::nullopt};
}

}  // namespace millrace::inline server
