#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdio>
#include <string>

/// A process of its own that owns slots and writes, to be stopped and killed by tests.
namespace millrace {

/// The child: joins group PREFIX + "group" on topic PREFIX + "slots" and, while it owns slots, commits "child grant G
/// record N" to PREFIX + "out", over and over, G counting its grants. Tells on its standard output: "granted N",
/// "committed N", "failed FAULT MESSAGE", "lost N", "revoked N".
int run_member(const std::string& prefix);

class MemberProcess {
 public:
  explicit MemberProcess(const std::string& prefix);
  ~MemberProcess();  // kill -9
  MemberProcess(const MemberProcess&) = delete;
  MemberProcess& operator=(const MemberProcess&) = delete;
  void signal(int number);
  /// Reads on until a line begins with `start`; empty when none does in time.
  std::string wait_for(const std::string& start, std::chrono::milliseconds wait);

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string unread_;
};

}  // namespace millrace
