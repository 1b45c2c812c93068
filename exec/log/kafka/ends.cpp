#include "exec/log/kafka/ends.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {
namespace {

constexpr std::chrono::milliseconds kAnswerWait{200};  // beyond which nobody else is to wait
constexpr std::chrono::milliseconds kRest{500};        // after a partition's leader did not answer

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

/// Partitions whose leaders do not answer are asked for one by one, so that nobody else waits for them.
std::vector<EndAsker::Question> EndAsker::take_due() {
  std::vector<Question> due, rest;
  for (Question& question : questions_)
    (silent_.contains(question.partition) ? rest : due).push_back(std::move(question));
  if (due.empty()) {
    const auto now = Clock::now();
    const auto found = std::find_if(rest.begin(), rest.end(),
                                    [&](const Question& question) { return silent_.at(question.partition) <= now; });
    if (found != rest.end()) {
      due.push_back(std::move(*found));
      rest.erase(found);
    }
  }
  questions_ = std::move(rest);
  return due;
}

void EndAsker::answer(const Question& question) {
  const auto end = admin_.committed_end(question.partition, kAnswerWait);
  if (end)
    silent_.erase(question.partition);
  else
    silent_[question.partition] = Clock::now() + kRest;
  answer_(question, end ? std::optional(*end) : std::nullopt);
}

/// Gives those that are to be asked again, each by itself: one leader that is silent keeps all from being told.
std::vector<EndAsker::Question> EndAsker::answer_all(std::vector<Question> questions) {
  std::vector<TopicPartition> partitions;
  for (const Question& question : questions) partitions.push_back(question.partition);
  const std::vector<std::optional<std::int64_t>> ends = admin_.committed_ends(partitions);
  std::vector<Question> again;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (ends[i]) {
      answer_(questions[i], ends[i]);
      continue;
    }
    silent_[partitions[i]] = Clock::now();
    again.push_back(std::move(questions[i]));
  }
  return again;
}

void EndAsker::run() {
  MutexLock lock(mutex_);
  while (true) {
    event_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    std::vector<Question> due = take_due();
    if (due.empty()) {
      event_.wait_for(lock, kRest);
      continue;
    }
    lock.unlock();
    std::vector<Question> again;
    if (due.size() == 1)
      answer(due.front());
    else
      again = answer_all(std::move(due));
    lock.lock();
    std::ranges::move(again, std::back_inserter(questions_));
  }
}

}  // namespace millrace::inline exec::kafka
