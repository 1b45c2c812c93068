#include "cli/bench_workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>

#include "cli/bench_fields.h"
#include "cli/bench_growth.h"
#include "cli/bench_joins.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::int64_t kWindow = 10'000;

/// Calls `each` for every bid of the input.
template <class Each>
void for_each_bid(const Shape& shape, Each&& each) {
  BidGenerator generator(shape);
  for (std::int64_t i = 0; i < shape.events; ++i) each(generator.next());
}

Workload over_bids(std::string name, const Shape& shape, std::string query) {
  Workload workload;
  workload.name = std::move(name);
  workload.inputs = {bids_input(shape)};
  workload.events = shape.events;
  workload.sources = fmt::format(
      "CREATE STREAM bids (auction_key STRING KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, "
      "url STRING, dateTime BIGINT, extra STRING) WITH (kafka_topic='{}', value_format='JSON', partitions={}, "
      "timestamp='dateTime');\n",
      workload.inputs[0].topic, kPartitions);
  workload.query = std::move(query);
  return workload;
}

Workload project(const Shape& shape) {
  Workload workload =
      over_bids("w1", shape,
                "CREATE STREAM bench_out WITH (kafka_topic='${result}') AS SELECT auction_key, auction, "
                "bidder, price * 0.908e0 AS price, dateTime FROM bids;");
  workload.expected = [shape] {
    Digest digest;
    for_each_bid(shape, [&](const Bid& bid) {
      digest.add(hash_of(bid.auction, bid.bidder, bits(static_cast<double>(bid.price) * 0.908), bid.time));
    });
    return digest;
  };
  workload.row_hash = [](const RecordView& record) {
    return std::optional(hash_of(number(*record.value, "AUCTION"), number(*record.value, "BIDDER"),
                                 bits(number<double>(*record.value, "PRICE")), number(*record.value, "DATETIME")));
  };
  return workload;
}

Workload filter(const Shape& shape) {
  Workload workload =
      over_bids("w2", shape,
                "CREATE STREAM bench_out WITH (kafka_topic='${result}') AS SELECT auction_key, auction, "
                "price FROM bids WHERE auction % 123 = 0;");
  workload.expected = [shape] {
    Digest digest;
    for_each_bid(shape, [&](const Bid& bid) {
      if (bid.auction % 123 == 0) digest.add(hash_of(bid.auction, bid.price));
    });
    return digest;
  };
  workload.row_hash = [](const RecordView& record) {
    return std::optional(hash_of(number(*record.value, "AUCTION"), number(*record.value, "PRICE")));
  };
  return workload;
}

struct Statistics {
  std::int64_t count = 0, sum = 0, max = 0;
  void add(std::int64_t price) {
    ++count;
    sum += price;
    max = std::max(max, price);
  }
};

Workload windowed_aggregate(const Shape& shape) {
  Workload workload = over_bids("w3", shape,
                                "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT auction_key, COUNT(*) "
                                "AS n, SUM(price) AS total, "
                                "MAX(price) AS top FROM bids WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY auction_key;");
  workload.table = true;
  workload.expected = [shape] {
    Digest digest;
    std::int64_t open = 0;
    boost::unordered_flat_map<std::int64_t, Statistics> window;  // bids come in the order of time
    const auto close = [&] {
      for (const auto& [auction, s] : window) digest.add(hash_of(auction, open, s.count, s.sum, s.max));
      window.clear();
    };
    for_each_bid(shape, [&](const Bid& bid) {
      const std::int64_t start = bid.time / kWindow * kWindow;
      if (start != open) close();
      open = start;
      window[bid.auction].add(bid.price);
    });
    close();
    return digest;
  };
  workload.row_hash = [](const RecordView& record) -> std::optional<std::uint64_t> {
    // The auction as text, then the window's start in eight bytes.
    if (!record.key || record.key->size() < 9) return std::nullopt;
    const std::string_view text = record.key->substr(0, record.key->size() - 8);
    std::int64_t auction = -1;
    std::from_chars(text.data(), text.data() + text.size(), auction);
    return hash_of(auction, big_endian(record.key->substr(text.size())), number(*record.value, "N"),
                   number(*record.value, "TOTAL"), number(*record.value, "TOP"));
  };
  return workload;
}

Workload repartitioned_aggregate(const Shape& shape) {
  Workload workload =
      over_bids("w4", shape,
                "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT bidder, COUNT(*) AS n, "
                "MAX(price) AS top FROM bids GROUP BY bidder;");
  workload.table = true;
  workload.expected = [shape] {
    boost::unordered_flat_map<std::int64_t, Statistics> bidders;
    for_each_bid(shape, [&](const Bid& bid) { bidders[bid.bidder].add(bid.price); });
    Digest digest;
    for (const auto& [bidder, s] : bidders) digest.add(hash_of(bidder, s.count, s.max));
    return digest;
  };
  workload.row_hash = [](const RecordView& record) -> std::optional<std::uint64_t> {
    if (!record.key || record.key->size() != 8) return std::nullopt;
    return hash_of(big_endian(*record.key), number(*record.value, "N"), number(*record.value, "TOP"));
  };
  return workload;
}

Workload stream_table_join(const Shape& shape) {
  Workload workload = over_bids(
      "w5", shape,
      "CREATE STREAM bench_out WITH (kafka_topic='${result}') AS SELECT b.auction_key AS auction_key, b.auction AS "
      "auction, b.bidder AS bidder, b.price AS price, a.category AS category FROM bids b JOIN auctions a ON "
      "b.auction_key = a.auction_key;");
  workload.inputs.push_back(auctions_input(shape));
  workload.table_rows = shape.keys;
  workload.sources += fmt::format(
      "CREATE TABLE auctions (auction_key STRING PRIMARY KEY, id BIGINT, category STRING, seller STRING) WITH "
      "(kafka_topic='{}', value_format='JSON', partitions={});\n",
      workload.inputs[1].topic, kPartitions);
  workload.expected = [shape] {
    Digest digest;
    for_each_bid(shape, [&](const Bid& bid) {
      digest.add(
          hash_of(bid.auction, bid.bidder, bid.price, text_hash(fmt::format("\"{}\"", category_of(bid.auction)))));
    });
    return digest;
  };
  workload.row_hash = [](const RecordView& record) {
    return std::optional(hash_of(number(*record.value, "AUCTION"), number(*record.value, "BIDDER"),
                                 number(*record.value, "PRICE"), text_hash(field(*record.value, "CATEGORY"))));
  };
  return workload;
}

struct Entry {
  std::string_view name, what;
  Workload (*make)(const Shape&);
};
constexpr std::array kWorkloads = {
    Entry{"w1", "project: every bid with its price in another currency", project},
    Entry{"w2", "filter: the bids on one auction in 123", filter},
    Entry{"w3", "windowed aggregate: count, sum, max by auction, tumbling 10 s", windowed_aggregate},
    Entry{"w4", "repartitioned aggregate: count, max by bidder", repartitioned_aggregate},
    Entry{"w5", "stream-table join: bids with the category of their auction", stream_table_join},
    Entry{"w6", "stream-stream join: bids with the asks on their auction within a second", stream_stream_join},
    Entry{"w6-late", "the same, a tenth of both out of order by up to half a second", late_stream_stream_join},
    Entry{"w7", "table-table join: updates of two tables of one key", table_table_join},
    Entry{"w8", "foreign-key join: updates of lots and of their sellers", foreign_key_join},
    Entry{"w9", "session windows: count, max by auction, gap 10 s", session_windows},
    Entry{"keyed", "aggregate that keeps all its keys: count, max by auction", keyed_aggregate},
    Entry{"wide", "filter over rows of 100 columns (--columns), two of which are read", wide_rows},
};

}  // namespace

std::optional<Workload> find_workload(const std::string& name, const Shape& shape) {
  for (const Entry& entry : kWorkloads)
    if (entry.name == name) return entry.make(shape);
  return std::nullopt;
}

std::string workload_list() {
  std::string text;
  for (const Entry& entry : kWorkloads) text += fmt::format("  {:<8}{}\n", entry.name, entry.what);
  return text + "  latency from append to visible in a push and in a pull query\n";
}

}  // namespace millrace::inline cli::bench
