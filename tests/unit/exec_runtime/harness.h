#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/engine.h"
#include "planner/logical/plan.h"
#include "planner/physical/plan.h"

namespace millrace::runtime_test {

struct Row {
  std::string key, value;  // "null" when absent
  std::int64_t timestamp = 0;
  friend bool operator==(const Row&, const Row&) = default;
  friend auto operator<=>(const Row&, const Row&) = default;
};
inline std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.key << " | " << row.value << " | " << row.timestamp;
}

/// A log, an engine on it, and short ways to feed and read.
class Bench {
 public:
  struct Options {
    int workers = 0;
    std::size_t batch_rows = kMaxBatchRows;
    bool embedded = false;
    bool state = false;          // a state RocksDB
    std::string directory = {};  // kept afterwards; empty: a fresh one, removed
    std::size_t state_memory_bytes = 256 << 20;
    std::size_t transient_memory_bytes = 64 << 20;
    Log* shared = nullptr;  // a log made elsewhere (Kafka), with slots dealt by its membership
    std::string service = "default_";
    std::string process = "p1";
    std::chrono::milliseconds commit_interval{2000};
    std::chrono::milliseconds keep_state_elsewhere{std::chrono::hours{1}};
  };
  explicit Bench(Options options);
  ~Bench();

  void create(const std::string& topic, int partitions);
  void feed(const std::string& topic, std::optional<std::string> key, std::optional<std::string> value,
            std::int64_t timestamp, int partition = -1);
  std::vector<Row> read(const std::string& topic);
  std::vector<Row> sorted(const std::string& topic);
  /// Starts what another process has prepared.
  void join(const PhysicalPlan& plan);
  /// Prepares and starts.
  void start(const PhysicalPlan& plan);
  void start_together(const std::vector<PhysicalPlan>& plans);
  void settle();
  /// The engine dies without a word and a new one takes over, with the same plans.
  void crash();
  void restart();

  Options options;
  std::filesystem::path directory;
  std::unique_ptr<Log> own_log;
  Log* log = nullptr;
  std::unique_ptr<Engine> engine;
  std::vector<ProcessingError> errors;

 private:
  void open();
  std::mutex mutex_;
  std::vector<std::shared_ptr<const PhysicalPlan>> plans_;
};

/// Source of (K STRING KEY, V BIGINT, S STRING), key format KAFKA, value format JSON.
NodePtr source(const std::string& topic, RelationKind kind);
NodePtr filter_greater(NodePtr input, std::size_t column, std::int64_t bound);
NodePtr sink(NodePtr input, const std::string& topic);
/// Through the rules and the physical planner.
PhysicalPlan physical(NodePtr root, const std::string& query_id, bool every_change = true, bool transient = false);

}  // namespace millrace::runtime_test
