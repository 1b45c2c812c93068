#include "server/http/query_ender.h"

#include "parser/error/mutex.h"
namespace millrace::inline server {

QueryEnder::QueryEnder() : thread_([this] { run(); }) {}

QueryEnder::~QueryEnder() {
  finish();
}

void QueryEnder::end(std::shared_ptr<RunningQuery> query, std::function<void()> then) {
  {
    const MutexLock lock(mutex_);
    if (!finishing_) {
      jobs_.push_back({std::move(query), std::move(then)});
      changed_.notify_one();
      return;
    }
  }
  query.reset();
  then();
}

void QueryEnder::run() {
  while (true) {
    std::vector<Job> jobs;
    {
      MutexLock lock(mutex_);
      changed_.wait(lock, [&]() REQUIRES(mutex_) { return finishing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      jobs.swap(jobs_);
    }
    for (Job& job : jobs) {
      job.query.reset();
      job.then();
    }
  }
}

void QueryEnder::finish() {
  {
    const MutexLock lock(mutex_);
    finishing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace millrace::inline server
