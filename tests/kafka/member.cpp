#include "tests/kafka/member.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "tests/kafka/broker.h"

namespace millrace {

using namespace std::chrono_literals;

int run_member(const std::string& prefix) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto log =
      open_test_log({.brokers = {}, .properties = {{"session.timeout.ms", "3000"}, {"max.poll.interval.ms", "5000"}}});
  const auto member = std::move(*log->membership(prefix + "group", prefix + "slots", "child:1"));
  std::atomic<int> owned{0}, grants{0};
  const auto told = [&](const char* what, int sign) {
    return [&owned, &grants, what, sign](const std::vector<SlotId>& slots) {
      if (sign > 0) ++grants;
      owned += sign * static_cast<int>(slots.size());
      std::printf("%s %zu\n", what, slots.size());
    };
  };
  if (!member->join("child", {told("granted", 1), told("revoked", -1), told("lost", -1)})) return 1;
  // Commits while the group is polled elsewhere, as workers do.
  std::thread([&] {
    std::unique_ptr<Writer> writer;
    for (int count = 0;; ++count) {
      while (owned == 0) std::this_thread::sleep_for(1ms);
      if (!writer) writer = std::move(*log->writer(prefix + "child", member.get()));
      const std::string value = "child grant " + std::to_string(grants) + " record " + std::to_string(count);
      auto done = writer->append(*writer->topic(prefix + "out"), 0, "child", value, RecordTime{1});
      if (done) done = writer->commit();
      const auto state = writer->commit_state(30s);
      if (done && state.outcome == Writer::Outcome::committed) {
        std::printf("committed %d\n", count);
        continue;
      }
      const Error error = done ? *state.error : done.error();
      std::printf("failed %s %s\n", error.fault == Fault::fenced ? "fenced" : "otherwise", error.message.c_str());
      if (error.fault == Fault::fenced) writer.reset();
    }
  }).detach();
  while (member->poll(20ms)) {
  }
  return 1;
}

MemberProcess::MemberProcess(const std::string& prefix) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "test_kafka", "--member", prefix.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
}

MemberProcess::~MemberProcess() {
  signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(output_);
}

void MemberProcess::signal(int number) {
  kill(pid_, number);
}

std::string MemberProcess::wait_for(const std::string& start, std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  while (Clock::now() < deadline) {
    for (std::size_t end; (end = unread_.find('\n')) != std::string::npos;) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      if (line.starts_with(start)) return line;
    }
    pollfd ready{output_, POLLIN, 0};
    if (poll(&ready, 1, 100) <= 0) continue;
    char bytes[4096];
    const ssize_t size = read(output_, bytes, sizeof bytes);
    if (size <= 0) return "";
    unread_.append(bytes, static_cast<std::size_t>(size));
  }
  return "";
}

}  // namespace millrace
