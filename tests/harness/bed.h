#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/testing/test_log.h"
#include "exec/runtime/engine.h"
#include "tests/harness/session.h"

namespace millrace::harness {

/// What tests run queries on: a log, an engine on it, and the queries that it has. Throws Failure where one of them
/// refuses. One thread.
class Bed {
 public:
  using Plan = std::shared_ptr<const PhysicalPlan>;

  Bed(TestLog on, EngineOptions options);
  ~Bed();

  /// Makes the topics of a session, appends the rows that it inserts, starts the queries that it has got, replaces
  /// those that it has otherwise, and stops those that it has no more. One session for each bed.
  void follow(Session& session);
  /// The plan of the only query of these statements. Their topics are there on return.
  PhysicalPlan plan(const std::string& sql, int partitions, const PropertyMap& properties = {});
  /// Prepares queries and starts them together.
  void start(const std::vector<Plan>& plans);
  void start(const PhysicalPlan& plan) { start(std::vector{std::make_shared<const PhysicalPlan>(plan)}); }
  /// Starts what another process has prepared.
  void join(const PhysicalPlan& plan);
  /// Until all queries have read and committed what there is.
  void settle(std::chrono::milliseconds longest = std::chrono::seconds{60});
  /// The engine dies without a word, or ends cleanly, and a new one takes over with the same queries.
  void crash();
  void restart();

  TestLog log;
  std::unique_ptr<Engine> engine;
  std::vector<ProcessingError> errors;  // of records, so far

 private:
  void open();
  void declare_topics(const Session& session);
  void launch(std::span<const Plan> plans);

  const EngineOptions options_;
  std::mutex mutex_;  // of `errors`, while queries run
  std::vector<Plan> plans_;
};

}  // namespace millrace::harness
