#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "exec/log/kafka/open.h"
#include "exec/log/log.h"

/// The broker that with_broker.sh started for these tests.
namespace millrace {

inline std::string test_broker() {
  const char* address = std::getenv("MILLRACE_TEST_BROKER");
  return address ? address : "";
}

/// Names of one test; those of different tests and runs do not meet on a shared broker.
inline std::string unique_prefix() {
  static int count = 0;
  return "t" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count() / 1'000'000 % 1'000'000'000) +
         "-" + std::to_string(getpid()) + "-" + std::to_string(++count) + "-";
}

inline std::unique_ptr<Log> open_test_log(KafkaOptions options = {}) {
  options.brokers = test_broker();
  return std::move(open_kafka_log(options, std::chrono::seconds{30}).value());
}

}  // namespace millrace
