#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench_inputs.h"

namespace millrace::inline exec {
class SchemaRegistry;
}

namespace millrace::inline cli::bench {

/// What must come out: how many rows, and the sum of their hashes, which does not depend on their order.
struct Digest {
  std::int64_t rows = 0;
  std::uint64_t sum = 0;
  void add(std::uint64_t hash) {
    ++rows;
    sum += hash;
  }
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// One of the things that are measured: inputs, statements, and how its output is judged.
struct Workload {
  std::string name;
  std::vector<Input> inputs;
  std::int64_t events = 0;      // counted as the work
  std::int64_t table_rows = 0;  // read before the first event; not counted
  std::string sources;          // CREATE STREAM, CREATE TABLE over the inputs
  std::string query;            // CREATE ... AS SELECT; the first reads the inputs, the last has the topic ${result}
  std::map<std::string, std::string> variables;  // of the statements, beside ${result}
  bool table = false;                            // the output's last value per key counts
  std::function<Digest()> expected;              // none: only tests know what is right
  /// Hash of one record of the output; nothing when it is not what it should be.
  std::function<std::optional<std::uint64_t>(const RecordView&)> row_hash;
  std::string format = "JSON";                // of all values
  std::shared_ptr<SchemaRegistry*> registry;  // where its schemas are while it runs; null: it has none
};

/// Nothing for an unknown name.
std::optional<Workload> find_workload(const std::string& name, const Shape& shape);
/// Names and one line each, for the help text.
std::string workload_list();

}  // namespace millrace::inline cli::bench
