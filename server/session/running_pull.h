#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "exec/runtime/engine.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// Threads on which pull queries go on whose clients have caught up again. Must outlive the queries.
class PullThreads {
 public:
  PullThreads();
  ~PullThreads();  // waits for what runs
  void post(std::function<void()> work);
  /// Runs `work` once that much time has passed, unless the timer is gone by then.
  class Timer;
  std::shared_ptr<Timer> after(std::chrono::milliseconds wait, std::function<void()> work);
  /// Again and again, so long after the last time.
  std::shared_ptr<Timer> every(std::chrono::milliseconds wait, std::function<void()> work);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

/// Gives the rows of a pull query to a sink on the calling thread, for as long as the sink takes them. A sink that is
/// full holds no thread: what is left goes on as a RunningQuery, which ends with an error when the sink stays full for
/// a minute (what it reads holds memory and files). The sink is not touched before the first rows or the good end; an
/// error until then is returned.
/// `token`: with which the next page can be asked for; empty: there is none.
Service::Started start_pull(QueryHeader header, std::shared_ptr<TableRows> rows, ResultSink& sink, PullThreads& threads,
                            std::string token = {});

}  // namespace millrace::inline server
