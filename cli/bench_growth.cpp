#include "cli/bench_growth.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "cli/bench_fields.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::int64_t kFirst = 1'700'000'000'000;  // ms; ten events in each

/// Objects of numbers and texts in turns.
class WideGenerator {
 public:
  explicit WideGenerator(const Shape& shape) : columns_(shape.columns), keys_(shape.keys) {}

  struct Row {
    std::int64_t key = 0, first = 0, last = 0;  // first and last: of the two columns that are read
  };
  const Row& next() {
    row_.key = below(keys_);
    value_ = "{";
    for (std::int64_t column = 0; column < columns_; ++column) {
      if (column != 0) value_ += ',';
      const std::int64_t number = below(1'000'000'000);
      if (column == first_column(columns_)) row_.first = number;
      if (column == last_column(columns_)) row_.last = number;
      const bool text = column % 2 != 0;
      fmt::format_to(std::back_inserter(value_), R"("c{}":{}{}{})", column, text ? "\"text " : "", number,
                     text ? "\"" : "");
    }
    value_ += '}';
    return row_;
  }
  const std::string& value() const { return value_; }

  // Even ones: numbers.
  static std::int64_t first_column(std::int64_t columns) { return columns / 3 / 2 * 2; }
  static std::int64_t last_column(std::int64_t columns) { return columns * 2 / 3 / 2 * 2; }

 private:
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }
  std::int64_t columns_, keys_;
  std::mt19937_64 random_{31};
  Row row_;
  std::string value_;
};

Input wide_input(const Shape& shape) {
  return {.topic = fmt::format("bench-wide-{}-{}", shape.events, shape.columns),
          .records = shape.events,
          .generate = [shape](const Emit& emit) {
            WideGenerator generator(shape);
            for (std::int64_t i = 0; i < shape.events; ++i) {
              const std::string key = std::to_string(generator.next().key);
              emit({key, generator.value(), kFirst + i / 10});
            }
          }};
}

}  // namespace

Workload keyed_aggregate(const Shape& shape) {
  Workload workload;
  workload.name = "keyed";
  workload.inputs = {bids_input(shape)};
  workload.events = shape.events;
  workload.sources = fmt::format(
      "CREATE STREAM bids (auction_key STRING KEY, price BIGINT) WITH (kafka_topic='{}', value_format='JSON', "
      "partitions={});\n",
      workload.inputs[0].topic, kPartitions);
  workload.query =
      "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT auction_key, COUNT(*) AS n, MAX(price) AS top "
      "FROM bids GROUP BY auction_key;";
  workload.table = true;
  workload.expected = [shape] {
    boost::unordered_flat_map<std::int64_t, std::pair<std::int64_t, std::int64_t>> auctions;
    BidGenerator generator(shape);
    for (std::int64_t i = 0; i < shape.events; ++i) {
      const Bid& bid = generator.next();
      auto& [count, top] = auctions[bid.auction];
      ++count;
      top = std::max(top, bid.price);
    }
    Digest digest;
    for (const auto& [auction, seen] : auctions) digest.add(hash_of(auction, seen.first, seen.second));
    return digest;
  };
  workload.row_hash = [](const RecordView& record) -> std::optional<std::uint64_t> {
    if (!record.key) return std::nullopt;
    std::int64_t auction = -1;
    std::from_chars(record.key->data(), record.key->data() + record.key->size(), auction);
    return hash_of(auction, number(*record.value, "N"), number(*record.value, "TOP"));
  };
  return workload;
}

Workload wide_rows(const Shape& shape) {
  const std::string first = fmt::format("c{}", WideGenerator::first_column(shape.columns));
  const std::string last = fmt::format("c{}", WideGenerator::last_column(shape.columns));
  Workload workload;
  workload.name = "wide";
  workload.inputs = {wide_input(shape)};
  workload.events = shape.events;
  std::string columns;
  for (std::int64_t column = 0; column < shape.columns; ++column)
    columns += fmt::format(", c{} {}", column, column % 2 == 0 ? "BIGINT" : "STRING");
  workload.sources =
      fmt::format("CREATE STREAM wide (id STRING KEY{}) WITH (kafka_topic='{}', value_format='JSON', partitions={});\n",
                  columns, workload.inputs[0].topic, kPartitions);
  workload.query = fmt::format(
      "CREATE STREAM bench_out WITH (kafka_topic='${{result}}') AS SELECT id, {} AS first FROM wide WHERE {} < "
      "10000000;",
      first, last);
  workload.expected = [shape] {
    Digest digest;
    WideGenerator generator(shape);
    for (std::int64_t i = 0; i < shape.events; ++i) {
      const auto& row = generator.next();
      if (row.last < 10'000'000) digest.add(hash_of(row.first));
    }
    return digest;
  };
  workload.row_hash = [](const RecordView& record) { return std::optional(hash_of(number(*record.value, "FIRST"))); };
  return workload;
}

}  // namespace millrace::inline cli::bench
