#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "exec/log/log.h"
#include "planner/types/schema.h"

/// Inputs of the benchmark: deterministic records, written to a log or looked at without one.
namespace millrace::inline cli::bench {

constexpr int kPartitions = 4;

/// How much of an input there is.
struct Shape {
  std::int64_t events = 3'000'000;
  std::int64_t keys = 100'000;  // distinct auctions
  std::int64_t rate = 10'000;   // Nexmark: events in a second of event time
  std::int64_t columns = 100;   // of wide rows
};

struct InputRecord {
  std::string_view key, value;
  std::int64_t timestamp = 0;
};
using Emit = std::function<void(const InputRecord&)>;

/// A topic and what lies in it. `topic` names the content, so that a complete one serves any later run.
struct Input {
  std::string topic;
  std::int64_t records = 0;
  std::function<void(const Emit&)> generate;
  std::vector<ColumnDef> columns = {};  // of the values; none: they come as JSON only
};

struct Bid {
  std::int64_t auction = 0, bidder = 0, price = 0, time = 0;
};

/// The bids of bench/README.md one after another; seed and bytes are fixed.
class BidGenerator {
 public:
  explicit BidGenerator(const Shape& shape) : keys_(shape.keys) {}
  const Bid& next();
  /// Key and value of the last bid; valid until the next call.
  InputRecord record();

 private:
  std::int64_t keys_, index_ = 0;
  std::mt19937_64 random_{1};
  std::uint64_t extra_[2] = {}, url_ = 0, channel_ = 0;
  Bid bid_;
  std::string key_, value_;
};

Input bids_input(const Shape& shape);
Input auctions_input(const Shape& shape);
std::string category_of(std::int64_t auction);

/// Creates and fills the topics that are not complete yet. Progress goes to `progress` (topic, records so far).
Status fill(Log& log, const std::vector<Input>& inputs,
            const std::function<void(const Input&, std::int64_t)>& progress);

}  // namespace millrace::inline cli::bench
