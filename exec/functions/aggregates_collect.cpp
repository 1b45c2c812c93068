#include <algorithm>
#include <map>
#include <unordered_set>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/canonical_value.h"
#include "exec/functions/count_distinct.h"
#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

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
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.items); }
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
    if (o.seen.insert(canonical_bytes(value, type)).second) o.items.push_back(std::move(value));
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    take(o, millrace::get_value(*arguments[0], row));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    for (const Value& item : from.items) take(into, item);
  }
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.items) + heap::bytes(o.seen); }
  void encode(const Object& o, std::string& out) const { encode_items(o.items, type, out); }
  bool decode(std::string_view& in, Object& o) const {
    if (!decode_items(in, type, o.items)) return false;
    for (const Value& item : o.items) o.seen.insert(canonical_bytes(item, type));
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
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.counts); }
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
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.counts); }
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

}  // namespace

FunctionFamily collect_aggregates() {
  constexpr AggregateTraits kBoth{.undo = true, .structured = true};
  constexpr AggregateTraits kStructured{.structured = true};
  constexpr AggregateTraits kCombining{.structured = true, .combines = true};
  return {
      aggregate_def({.name = "COLLECT_LIST",
                     .doc = "All values in the order of arrival, NULL included.",
                     .variants = {aggregate("T value -> ARRAY<T>", kBoth, heap_aggregate<CollectListOps>())},
                     .examples = {{"COLLECT_LIST(x)", "ARRAY[1, NULL, 1]", {"ARRAY[1, NULL, 1]"}}}}),
      aggregate_def({.name = "ARRAY_AGG",
                     .doc = "All values in the order of arrival or of ORDER BY, NULL included.",
                     .variants = {aggregate("T value -> ARRAY<T>", kBoth, heap_aggregate<CollectListOps>())},
                     .examples = {{"ARRAY_AGG(x)", "ARRAY[1, NULL, 1]", {"ARRAY[1, NULL, 1]"}}}}),
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
                     .variants = {aggregate("T value -> BIGINT", kCombining, count_distinct_aggregate())},
                     .examples = {{"COUNT_DISTINCT(x)", "CAST(2 AS BIGINT)", {"ARRAY['a', 'b', 'a', NULL]"}}}})};
}

}  // namespace millrace::inline exec
