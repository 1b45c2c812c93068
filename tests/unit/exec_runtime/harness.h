#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "planner/logical/plan.h"
#include "planner/physical/plan.h"
#include "tests/harness/bed.h"

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

/// A bed on one of the logs, and short ways to feed and read it.
class Bench : public harness::Bed {
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
  explicit Bench(const Options& options);
  ~Bench();

  void create(const std::string& topic, int partitions);
  void feed(const std::string& topic, std::optional<std::string> key, std::optional<std::string> value,
            std::int64_t timestamp, int partition = -1);
  /// All of the topic, partition by partition.
  std::vector<Row> read(const std::string& topic);
  std::vector<Row> sorted(const std::string& topic);

  const Options options;
  const std::filesystem::path directory;

 private:
  Bench(const Options& options, std::filesystem::path directory);
};

/// Source of (K STRING KEY, V BIGINT, S STRING), key format KAFKA, value format JSON.
NodePtr source(const std::string& topic, RelationKind kind);
NodePtr filter_greater(NodePtr input, std::size_t column, std::int64_t bound);
NodePtr sink(NodePtr input, const std::string& topic);
/// Through the rules and the physical planner.
PhysicalPlan physical(NodePtr root, const std::string& query_id, bool every_change = true, bool transient = false);

}  // namespace millrace::runtime_test
