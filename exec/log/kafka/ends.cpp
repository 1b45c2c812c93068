#include "exec/log/kafka/ends.h"

#include "parser/error/mutex.h"
namespace millrace::inline exec::kafka {
namespace {

constexpr std::chrono::milliseconds kAnswerWait{1000};
constexpr std::chrono::milliseconds kRest{50};  // after the log did not answer

}  // namespace

EndAsker::~EndAsker() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  event_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EndAsker::ask(Question question) {
  const MutexLock lock(mutex_);
  questions_.push_back(std::move(question));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  event_.notify_one();
}

void EndAsker::run() {
  MutexLock lock(mutex_);
  while (true) {
    event_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    const auto end = admin_.committed_end(question.partition, kAnswerWait);
    answer_(question, end ? std::optional(*end) : std::nullopt);
    lock.lock();
    if (!end) event_.wait_for(lock, kRest, [&]() REQUIRES(mutex_) { return stopping_; });
  }
}

}  // namespace millrace::inline exec::kafka
