#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <unordered_set>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

/// Maps in the order of their keys, at any depth: equal values then have equal bytes.
Value canonical(const Value& value, const Type& type) {
  if (value.is_null() || !type.is_nested()) return value;
  if (type.kind() == TypeKind::map) {
    Value::Map entries;
    for (const auto& [key, mapped] : value.entries()) entries.emplace_back(key, canonical(mapped, type.value()));
    if (!type.key().is_nested())
      std::ranges::sort(entries, [](const auto& a, const auto& b) { return compare(a.first, b.first) < 0; });
    return Value::map(std::move(entries));
  }
  const bool list = type.kind() == TypeKind::array;
  const Value::List& parts = list ? value.items() : value.fields();
  Value::List out;
  for (std::size_t i = 0; i < parts.size(); ++i)
    out.push_back(canonical(parts[i], list ? type.element() : type.fields()[i].type));
  return list ? Value::list(std::move(out)) : Value::structure(std::move(out));
}

std::string encoded(const Value& value, const Type& type) {
  std::string bytes;
  codec::put_value(canonical(value, type), type, bytes);
  return bytes;
}

/// As encoded(), of a row that is not NULL, without a Value where there is no need for one.
void encode_row(const Column& column, const Type& type, std::size_t row, std::string& out) {
  out.clear();
  switch (type.kind()) {
    case TypeKind::integer:
      codec::put(true, out);
      return codec::put(column.data.as<std::int32_t>()[row], out);
    case TypeKind::bigint:
      codec::put(true, out);
      return codec::put(column.data.as<std::int64_t>()[row], out);
    case TypeKind::string:
      codec::put(true, out);
      return codec::put_text(column.data.as<std::string_view>()[row], out);
    default:
      out = encoded(millrace::get_value(column, row), type);
  }
}

void encode_items(const Value::List& items, const Type& type, std::string& out) {
  codec::put_unsigned(items.size(), out);
  for (const Value& item : items) codec::put_value(item, type, out);
}
bool decode_items(std::string_view& in, const Type& type, Value::List& items) {
  std::uint64_t count = 0;
  if (!codec::get_unsigned(in, count) || count > in.size()) return false;
  items.resize(count);
  return std::ranges::all_of(items, [&](Value& item) { return codec::get_value(in, type, item); });
}

struct CollectListOps {
  struct Object {
    Value::List items;
  };
  static constexpr bool kUndo = true;
  explicit CollectListOps(const AggregateSpec& spec) : type(spec.arguments[0]), limit(spec.limit) {}
  Type type;
  std::int64_t limit;

  bool full(const Object& o) const { return limit >= 0 && static_cast<std::int64_t>(o.items.size()) >= limit; }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (!full(o)) o.items.push_back(millrace::get_value(*arguments[0], row));
  }
  void remove(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    const auto found = std::ranges::find(o.items, millrace::get_value(*arguments[0], row));
    if (found != o.items.end()) o.items.erase(found);
  }
  void merge(Object& into, const Object& from) const {
    for (const Value& item : from.items)
      if (!full(into)) into.items.push_back(item);
  }
  void encode(const Object& o, std::string& out) const { encode_items(o.items, type, out); }
  bool decode(std::string_view& in, Object& o) const { return decode_items(in, type, o.items); }
  Value result(const Object& o) const { return Value::list(o.items); }
};

struct CollectSetOps {
  struct Object {
    Value::List items;  // first seen first
    std::unordered_set<std::string> seen;
  };
  static constexpr bool kUndo = false;
  explicit CollectSetOps(const AggregateSpec& spec) : type(spec.arguments[0]), limit(spec.limit) {}
  Type type;
  std::int64_t limit;

  void take(Object& o, Value value) const {
    if (limit >= 0 && static_cast<std::int64_t>(o.items.size()) >= limit) return;
    if (o.seen.insert(encoded(value, type)).second) o.items.push_back(std::move(value));
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    take(o, millrace::get_value(*arguments[0], row));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    for (const Value& item : from.items) take(into, item);
  }
  void encode(const Object& o, std::string& out) const { encode_items(o.items, type, out); }
  bool decode(std::string_view& in, Object& o) const {
    if (!decode_items(in, type, o.items)) return false;
    for (const Value& item : o.items) o.seen.insert(encoded(item, type));
    return true;
  }
  Value result(const Object& o) const { return Value::list(o.items); }
};

struct HistogramOps {
  static constexpr std::size_t kMaxKeys = 1000;
  struct Object {
    std::map<std::string, std::int64_t, std::less<>> counts;
  };
  static constexpr bool kUndo = true;
  explicit HistogramOps(const AggregateSpec&) {}

  static void shift(Object& o, std::string_view key, std::int64_t by) {
    const auto found = o.counts.find(key);
    if (found != o.counts.end()) {
      found->second += by;
      if (found->second <= 0) o.counts.erase(found);
    } else if (by > 0 && o.counts.size() < kMaxKeys) {
      o.counts.emplace(key, by);
    }
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (!arguments[0]->is_null(row)) shift(o, arguments[0]->data.as<std::string_view>()[row], 1);
  }
  void remove(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (!arguments[0]->is_null(row)) shift(o, arguments[0]->data.as<std::string_view>()[row], -1);
  }
  void merge(Object& into, const Object& from) const {
    for (const auto& [key, count] : from.counts) shift(into, key, count);
  }
  void encode(const Object& o, std::string& out) const {
    codec::put_unsigned(o.counts.size(), out);
    for (const auto& [key, count] : o.counts) {
      codec::put_text(key, out);
      codec::put(count, out);
    }
  }
  bool decode(std::string_view& in, Object& o) const {
    std::uint64_t size = 0;
    if (!codec::get_unsigned(in, size)) return false;
    for (; size > 0; --size) {
      std::string_view key;
      std::int64_t count = 0;
      if (!codec::get_text(in, key) || !codec::get(in, count)) return false;
      o.counts.emplace(key, count);
    }
    return true;
  }
  Value result(const Object& o) const {
    Value::Map entries;
    for (const auto& [key, count] : o.counts) entries.emplace_back(key, count);
    return Value::map(std::move(entries));
  }
};

/// The distinct values with how often each occurs; NULL is a value.
struct AttributeOps {
  struct Object {
    std::vector<std::pair<Value, std::int64_t>> counts;
  };
  static constexpr bool kUndo = true;
  explicit AttributeOps(const AggregateSpec& spec) : type(spec.arguments[0]) {}
  Type type;

  static void shift(Object& o, const Value& value, std::int64_t by) {
    const auto found = std::ranges::find(o.counts, value, &std::pair<Value, std::int64_t>::first);
    if (found == o.counts.end()) {
      if (by > 0) o.counts.emplace_back(value, by);
    } else if ((found->second += by) <= 0) {
      o.counts.erase(found);
    }
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    shift(o, millrace::get_value(*arguments[0], row), 1);
  }
  void remove(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    shift(o, millrace::get_value(*arguments[0], row), -1);
  }
  void merge(Object& into, const Object& from) const {
    for (const auto& [value, count] : from.counts) shift(into, value, count);
  }
  void encode(const Object& o, std::string& out) const {
    codec::put_unsigned(o.counts.size(), out);
    for (const auto& [value, count] : o.counts) {
      codec::put_value(value, type, out);
      codec::put(count, out);
    }
  }
  bool decode(std::string_view& in, Object& o) const {
    std::uint64_t size = 0;
    if (!codec::get_unsigned(in, size) || size > in.size()) return false;
    o.counts.resize(size);
    for (auto& [value, count] : o.counts)
      if (!codec::get_value(in, type, value) || !codec::get(in, count)) return false;
    return true;
  }
  Value result(const Object& o) const { return o.counts.size() == 1 ? o.counts[0].first : Value(); }
};

/// Up to some thousand hashes, first seen first. They lie together, so that a copy or an encoding of them is one of
/// bytes.
class FewHashes {
 public:
  void insert(std::uint64_t hash) {
    if (hashes_.size() < kScanned) {
      if (std::ranges::find(hashes_, hash) == hashes_.end()) hashes_.push_back(hash);
      return;
    }
    if (2 * hashes_.size() >= places_.size()) index(4 * hashes_.size());
    std::uint16_t& place = place_of(hash);
    if (place != 0) return;
    hashes_.push_back(hash);
    place = static_cast<std::uint16_t>(hashes_.size());
  }
  std::size_t size() const { return hashes_.size(); }
  auto begin() const { return hashes_.begin(); }
  auto end() const { return hashes_.end(); }
  void clear() { *this = {}; }
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(hashes_.data()), hashes_.size() * sizeof(std::uint64_t)};
  }
  /// Precondition: different hashes, as bytes() gave them.
  void assign(std::string_view bytes) {
    hashes_.resize(bytes.size() / sizeof(std::uint64_t));
    if (!hashes_.empty()) std::memcpy(hashes_.data(), bytes.data(), bytes.size());
    places_.clear();
  }

 private:
  static constexpr std::size_t kScanned = 8;

  std::uint16_t& place_of(std::uint64_t hash) {
    std::size_t at = hash & (places_.size() - 1);
    while (places_[at] != 0 && hashes_[places_[at] - 1U] != hash) at = (at + 1) & (places_.size() - 1);
    return places_[at];
  }
  void index(std::size_t places) {
    places_.assign(std::bit_ceil(places), 0);
    for (std::size_t i = 0; i < hashes_.size(); ++i) place_of(hashes_[i]) = static_cast<std::uint16_t>(i + 1);
  }

  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint16_t> places_;  // of hashes_, one more, by hash; 0: none. Twice as many as hashes, or none yet
};

/// Exact while few hashes are known, then HyperLogLog with 2^14 registers.
struct CountDistinctOps {
  static constexpr std::size_t kMaxExact = 1024;
  static constexpr int kIndexBits = 14;
  struct Object {
    FewHashes hashes;
    std::string registers;  // empty while exact
  };
  static constexpr bool kUndo = false;
  explicit CountDistinctOps(const AggregateSpec& spec) : type(spec.arguments[0]) {}
  Type type;

  static void count_in_registers(Object& o, std::uint64_t hash) {
    char& rank = o.registers[hash >> (64 - kIndexBits)];
    const int zeros = std::countl_zero(hash << kIndexBits | (std::uint64_t{1} << (kIndexBits - 1)));
    rank = std::max(rank, static_cast<char>(zeros + 1));
  }
  static void take(Object& o, std::uint64_t hash) {
    if (!o.registers.empty()) return count_in_registers(o, hash);
    o.hashes.insert(hash);
    if (o.hashes.size() <= kMaxExact) return;
    o.registers.assign(std::size_t{1} << kIndexBits, '\0');
    for (const std::uint64_t known : o.hashes) count_in_registers(o, known);
    o.hashes.clear();
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (arguments[0]->is_null(row)) return;
    thread_local std::string bytes;
    encode_row(*arguments[0], type, row, bytes);
    take(o, XXH3_64bits(bytes.data(), bytes.size()));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    for (const std::uint64_t hash : from.hashes) take(into, hash);
    if (from.registers.empty()) return;
    const auto mine = std::exchange(into.hashes, {});
    if (into.registers.empty()) into.registers.assign(from.registers.size(), '\0');
    for (std::size_t i = 0; i < from.registers.size(); ++i)
      into.registers[i] = std::max(into.registers[i], from.registers[i]);
    for (const std::uint64_t hash : mine) count_in_registers(into, hash);
  }
  void encode(const Object& o, std::string& out) const {
    codec::put_text(o.registers, out);
    codec::put_unsigned(o.hashes.size(), out);
    out.append(o.hashes.bytes());
  }
  bool decode(std::string_view& in, Object& o) const {
    std::string_view registers;
    std::uint64_t size = 0;
    if (!codec::get_text(in, registers) || !codec::get_unsigned(in, size)) return false;
    if (size > kMaxExact || in.size() < size * sizeof(std::uint64_t)) return false;
    o.registers = registers;
    o.hashes.assign(in.substr(0, size * sizeof(std::uint64_t)));
    in.remove_prefix(size * sizeof(std::uint64_t));
    return true;
  }
  Value result(const Object& o) const {
    if (o.registers.empty()) return static_cast<std::int64_t>(o.hashes.size());
    const auto count = static_cast<double>(o.registers.size());
    std::array<std::uint32_t, 64> ranks{};
    for (const char rank : o.registers) ++ranks[static_cast<std::uint8_t>(rank) % ranks.size()];
    double sum = 0;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) sum += std::ldexp(ranks[rank], -static_cast<int>(rank));
    const double empty = ranks[0];
    const double raw = 0.7213 / (1 + 1.079 / count) * count * count / sum;
    const double estimate = raw <= 2.5 * count && empty > 0 ? count * std::log(count / empty) : raw;
    return static_cast<std::int64_t>(std::llround(estimate));
  }
};

}  // namespace

FunctionFamily collect_aggregates() {
  constexpr AggregateTraits kBoth{.undo = true, .structured = true};
  constexpr AggregateTraits kStructured{.structured = true};
  return {
      aggregate_def({.name = "COLLECT_LIST",
                     .doc = "All values in the order of arrival, NULL included.",
                     .variants = {aggregate("T value -> ARRAY<T>", kBoth, heap_aggregate<CollectListOps>())},
                     .examples = {{"COLLECT_LIST(x)", "ARRAY[1, NULL, 1]", {"ARRAY[1, NULL, 1]"}}}}),
      aggregate_def({.name = "COLLECT_SET",
                     .doc = "The distinct values, first seen first.",
                     .variants = {aggregate("T value -> ARRAY<T>", kStructured, heap_aggregate<CollectSetOps>())},
                     .examples = {{"COLLECT_SET(x)", "ARRAY[1, 2]", {"ARRAY[1, 2, 1]"}}}}),
      aggregate_def(
          {.name = "HISTOGRAM",
           .doc = "How often each text occurs, for at most 1000 texts.",
           .variants = {aggregate("STRING value -> MAP<STRING, BIGINT>", kBoth, heap_aggregate<HistogramOps>())},
           .examples = {{"HISTOGRAM(x)",
                         "MAP('a' := CAST(2 AS BIGINT), 'b' := CAST(1 AS BIGINT))",
                         {"ARRAY['a', 'b', 'a']"}}}}),
      aggregate_def({.name = "ATTR",
                     .doc = "The value of the group when it has only one, else NULL.",
                     .variants = {aggregate("T value -> T", kBoth, heap_aggregate<AttributeOps>())},
                     .examples = {{"ATTR(x)", "'a'", {"ARRAY['a', 'a']"}}, {"ATTR(x)", "NULL", {"ARRAY['a', 'b']"}}}}),
      aggregate_def({.name = "COUNT_DISTINCT",
                     .doc = "About how many distinct values there are (1 % error).",
                     .variants = {aggregate("T value -> BIGINT", kStructured, heap_aggregate<CountDistinctOps>())},
                     .examples = {{"COUNT_DISTINCT(x)", "CAST(2 AS BIGINT)", {"ARRAY['a', 'b', 'a', NULL]"}}}})};
}

}  // namespace millrace::inline exec
