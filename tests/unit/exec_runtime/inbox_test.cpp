#include "exec/runtime/inbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "exec/runtime/query_run.h"

namespace millrace {
namespace {

TEST(Inbox, WhatIsPostedWhileItsThreadEndsIsDone) {
  Inbox inbox([](const QueryRun&, std::size_t, int) { return nullptr; });
  EXPECT_FALSE(inbox.post([] {})) << "nobody is there to do it";
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> ending{false};
    std::atomic<int> posted{0}, done{0};
    inbox.open();
    std::thread worker([&] {
      while (!ending) {
        inbox.gate().lock();
        inbox.run_calls();
        inbox.gate().unlock();
      }
    });
    std::thread other([&] {
      while (inbox.post([&] { ++done; })) ++posted;
    });
    std::this_thread::yield();
    ending = true;
    worker.join();
    inbox.close();
    other.join();
    EXPECT_EQ(done, posted);
  }
}

}  // namespace
}  // namespace millrace
