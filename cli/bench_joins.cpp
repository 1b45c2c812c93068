#include "cli/bench_joins.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>

#include "cli/bench_fields.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::int64_t kFirst = 1'700'000'000'000;  // ms
constexpr std::int64_t kPerMs = 10;
constexpr std::int64_t kWithin = 1'000, kLatest = 500, kGap = 10'000;
constexpr std::int64_t kLotsOfASeller = 5;

/// A row of one of two inputs: a key, another number that belongs to it, a value.
struct Change {
  std::int64_t key = 0, other = 0, value = 0, time = 0;
};

/// What lies in an input: seed and bytes are fixed.
struct Changes {
  const char* name;  // of the topic
  std::uint64_t seed;
  std::int64_t count, keys;
  std::int64_t others;  // `other` is below it
  bool late = false;    // a tenth comes up to kLatest after its time

  template <class Each>
  void for_each(Each&& each) const {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t bound) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
    };
    for (std::int64_t i = 0; i < count; ++i) {
      Change change{.key = below(keys), .other = below(others), .value = below(1'000'000), .time = kFirst + i / kPerMs};
      if (late && below(10) == 0) change.time = std::max(kFirst, change.time - below(kLatest));
      each(change);
    }
  }

  Input input() const {
    return {.topic = fmt::format("bench-{}-{}-{}{}", name, count, keys, late ? "-late" : ""),
            .records = count,
            .generate =
                [changes = *this](const Emit& emit) {
                  changes.for_each([&](const Change& change) {
                    const std::string key = std::to_string(change.key);
                    const std::string value =
                        fmt::format(R"({{"other":{},"amount":{},"at":{}}})", change.other, change.value, change.time);
                    emit({key, value, change.time});
                  });
                },
            .columns = {{"OTHER", Type::bigint()}, {"AMOUNT", Type::bigint()}, {"AT", Type::bigint()}}};
  }

  std::string declared(std::string_view kind, std::string_view as) const {
    return fmt::format(
        "CREATE {} {} (id STRING {}, other BIGINT, amount BIGINT, at BIGINT) WITH (kafka_topic='{}', "
        "value_format='JSON', partitions={}, timestamp='at');\n",
        kind, as, kind == "TABLE" ? "PRIMARY KEY" : "KEY", input().topic, kPartitions);
  }
};

Workload over_two(std::string name, std::string_view kind, const Changes& left, const Changes& right,
                  std::string query) {
  Workload workload;
  workload.name = std::move(name);
  workload.inputs = {left.input(), right.input()};
  workload.events = left.count + right.count;
  workload.sources = left.declared(kind, "l") + right.declared(kind, "r");
  workload.query = std::move(query);
  workload.table = kind == "TABLE";
  return workload;
}

std::int64_t key_number(const RecordView& record) {
  std::int64_t key = -1;
  if (record.key) std::from_chars(record.key->data(), record.key->data() + record.key->size(), key);
  return key;
}

std::optional<std::uint64_t> pair_hash(const RecordView& record) {
  return hash_of(key_number(record), number(*record.value, "L"), number(*record.value, "R"));
}

/// The pairs of one key that lie within kWithin of each other.
Digest pairs_of(const Changes& left, const Changes& right) {
  boost::unordered_flat_map<std::int64_t, std::deque<Change>> waiting;
  right.for_each([&](const Change& change) { waiting[change.key].push_back(change); });
  Digest digest;
  left.for_each([&](const Change& change) {
    const auto found = waiting.find(change.key);
    if (found == waiting.end()) return;
    auto& rows = found->second;
    // Nothing on the left comes that is older by more.
    while (!rows.empty() && rows.front().time < change.time - kWithin - 2 * kLatest) rows.pop_front();
    for (const Change& other : rows) {
      if (other.time > change.time + kWithin + 2 * kLatest) break;
      if (std::abs(other.time - change.time) <= kWithin) digest.add(hash_of(change.key, change.value, other.value));
    }
  });
  return digest;
}

Workload joined_streams(const char* name, const Shape& shape, bool late) {
  const Changes left{"bids-on", 21, shape.events / 2, shape.keys, shape.keys, late};
  const Changes right{"asks", 22, shape.events / 2, shape.keys, shape.keys, late};
  Workload workload = over_two(
      name, "STREAM", left, right,
      "CREATE STREAM bench_out WITH (kafka_topic='${result}') AS SELECT l.id AS id, l.amount AS l, r.amount AS r "
      "FROM l JOIN r WITHIN 1 SECONDS GRACE PERIOD 10 SECONDS ON l.id = r.id;");
  workload.expected = [left, right] { return pairs_of(left, right); };
  workload.row_hash = pair_hash;
  return workload;
}

using Last = boost::unordered_flat_map<std::int64_t, Change>;
Last last_of(const Changes& changes) {
  Last last;
  changes.for_each([&](const Change& change) { last[change.key] = change; });
  return last;
}

}  // namespace

Workload stream_stream_join(const Shape& shape) {
  return joined_streams("w6", shape, false);
}
Workload late_stream_stream_join(const Shape& shape) {
  return joined_streams("w6-late", shape, true);
}

Workload table_table_join(const Shape& shape) {
  const Changes left{"lots", 23, shape.events / 2, shape.keys, shape.keys};
  const Changes right{"reserves", 24, shape.events / 2, shape.keys, shape.keys};
  Workload workload =
      over_two("w7", "TABLE", left, right,
               "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT l.id AS id, l.amount AS "
               "l, r.amount AS r FROM l JOIN r ON l.id = r.id;");
  workload.expected = [left, right] {
    Digest digest;
    const Last others = last_of(right);
    for (const auto& [key, change] : last_of(left))
      if (const auto other = others.find(key); other != others.end())
        digest.add(hash_of(key, change.value, other->second.value));
    return digest;
  };
  workload.row_hash = pair_hash;
  return workload;
}

Workload foreign_key_join(const Shape& shape) {
  const std::int64_t sellers = std::max<std::int64_t>(1, shape.keys / kLotsOfASeller);
  const Changes left{"lots-of", 25, shape.events * 9 / 10, shape.keys, sellers};
  const Changes right{"sellers", 26, shape.events - left.count, sellers, sellers};
  Workload workload =
      over_two("w8", "TABLE", left, right,
               "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT l.id AS id, l.amount AS "
               "l, r.amount AS r FROM l JOIN r ON CAST(l.other AS STRING) = r.id;");
  workload.expected = [left, right] {
    Digest digest;
    const Last others = last_of(right);
    for (const auto& [key, change] : last_of(left))
      if (const auto other = others.find(change.other); other != others.end())
        digest.add(hash_of(key, change.value, other->second.value));
    return digest;
  };
  workload.row_hash = pair_hash;
  return workload;
}

Workload session_windows(const Shape& shape) {
  const Changes rows{"visits", 27, shape.events, shape.keys, shape.keys};
  Workload workload;
  workload.name = "w9";
  workload.inputs = {rows.input()};
  workload.events = rows.count;
  workload.sources = rows.declared("STREAM", "l");
  workload.query =
      "CREATE TABLE bench_out WITH (kafka_topic='${result}') AS SELECT id, COUNT(*) AS n, MAX(amount) AS top FROM l "
      "WINDOW "
      "SESSION (10 SECONDS) GROUP BY id;";
  workload.table = true;
  workload.expected = [rows] {
    struct Session {
      std::int64_t begin, end, count, top;
    };
    boost::unordered_flat_map<std::int64_t, Session> open;
    Digest digest;
    const auto close = [&](std::int64_t key, const Session& s) {
      digest.add(hash_of(key, s.begin, s.end, s.count, s.top));
    };
    rows.for_each([&](const Change& change) {
      const auto [at, fresh] = open.try_emplace(change.key, Session{change.time, change.time, 0, 0});
      Session& session = at->second;
      if (!fresh && change.time - session.end > kGap) {
        close(change.key, session);
        session = {change.time, change.time, 0, 0};
      }
      session.end = change.time;
      ++session.count;
      session.top = std::max(session.top, change.value);
    });
    for (const auto& [key, session] : open) close(key, session);
    return digest;
  };
  workload.row_hash = [](const RecordView& record) -> std::optional<std::uint64_t> {
    // The key as text, then the session's end and its start in eight bytes each.
    if (!record.key || record.key->size() < 17) return std::nullopt;
    const std::string_view window = record.key->substr(record.key->size() - 16);
    return hash_of(key_number(record), big_endian(window.substr(8)), big_endian(window), number(*record.value, "N"),
                   number(*record.value, "TOP"));
  };
  return workload;
}

}  // namespace millrace::inline cli::bench
