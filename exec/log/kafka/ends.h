#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "exec/log/kafka/admin.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

/// Asks where partitions end for committed readers, on a thread of its own that starts with the first question: the
/// connection that fetches is no use for that, because the broker answers a fetch that waits for records first.
class EndAsker {
 public:
  struct Question {
    ReadHandle source = kNoRead;
    TopicPartition partition;
    std::int64_t position = 0;  // of the one who asks
    Clock::time_point time{};   // when
  };
  /// Absent: the log did not answer. Called on the thread of its own.
  using Answer = std::function<void(const Question& question, std::optional<std::int64_t> end)>;
  EndAsker(Admin& admin, Answer answer) : admin_(admin), answer_(std::move(answer)) {}
  ~EndAsker();

  void ask(Question question);

 private:
  void run();
  std::vector<Question> take_due() REQUIRES(mutex_);
  void answer(const Question& question);
  std::vector<Question> answer_all(std::vector<Question> questions);

  Admin& admin_;
  const Answer answer_;
  Mutex mutex_;
  std::condition_variable event_;
  std::vector<Question> questions_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::map<TopicPartition, Clock::time_point> silent_;  // when to ask again; of the thread
  std::thread thread_;
};

}  // namespace millrace::inline exec::kafka
