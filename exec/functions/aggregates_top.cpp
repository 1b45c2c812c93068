#include <algorithm>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"
#include "parser/error/sql_error.h"

namespace millrace::inline exec {
namespace {

/// The k largest values, each with the columns that ride along. Equal values stand in the order of arrival.
template <bool Distinct>
struct TopOps {
  struct Entry {
    Value value;
    Value::List extras;
  };
  struct Object {
    std::vector<Entry> entries;  // descending
  };
  static constexpr bool kUndo = false;
  explicit TopOps(const AggregateSpec& spec) : types(spec.arguments) {
    const std::int32_t k = spec.constants.empty() ? 0 : spec.constants.back().as<std::int32_t>();
    if (k < 1) throw SqlError(Code::invalid_aggregate, {}, "k must be 1 or greater");
    limit = static_cast<std::size_t>(k);
  }
  std::vector<Type> types;  // of the sort value, then of the extras
  std::size_t limit = 0;

  void take(Object& o, Entry entry) const {
    const auto place = std::ranges::upper_bound(
        o.entries, entry.value, [](const Value& a, const Value& b) { return compare(a, b) > 0; }, &Entry::value);
    if (Distinct && place != o.entries.begin() && (place - 1)->value == entry.value) return;
    if (place == o.entries.end() && o.entries.size() >= limit) return;
    o.entries.insert(place, std::move(entry));
    if (o.entries.size() > limit) o.entries.pop_back();
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (arguments[0]->is_null(row)) return;
    Entry entry{millrace::get_value(*arguments[0], row), {}};
    if (o.entries.size() >= limit && compare(entry.value, o.entries.back().value) <= 0) return;
    for (std::size_t i = 1; i < types.size(); ++i) entry.extras.push_back(millrace::get_value(*arguments[i], row));
    take(o, std::move(entry));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    for (const Entry& entry : from.entries) take(into, entry);
  }
  std::size_t heap_size(const Object& o) const {
    std::size_t bytes = o.entries.size() * sizeof(Entry);
    for (const Entry& entry : o.entries) bytes += heap::bytes(entry.value) + heap::bytes(entry.extras);
    return bytes;
  }
  void encode(const Object& o, std::string& out) const {
    codec::put_unsigned(o.entries.size(), out);
    for (const Entry& entry : o.entries) {
      codec::put_value(entry.value, types[0], out);
      for (std::size_t i = 1; i < types.size(); ++i) codec::put_value(entry.extras[i - 1], types[i], out);
    }
  }
  bool decode(std::string_view& in, Object& o) const {
    std::uint64_t size = 0;
    if (!codec::get_unsigned(in, size) || size > in.size()) return false;
    o.entries.resize(size);
    for (Entry& entry : o.entries) {
      entry.extras.resize(types.size() - 1);
      if (!codec::get_value(in, types[0], entry.value)) return false;
      for (std::size_t i = 1; i < types.size(); ++i)
        if (!codec::get_value(in, types[i], entry.extras[i - 1])) return false;
    }
    return true;
  }
  Value result(const Object& o) const {
    Value::List items;
    for (const Entry& entry : o.entries) {
      if (types.size() == 1) {
        items.push_back(entry.value);
        continue;
      }
      Value::List fields{entry.value};
      fields.insert(fields.end(), entry.extras.begin(), entry.extras.end());
      items.push_back(Value::structure(std::move(fields)));
    }
    return Value::list(std::move(items));
  }
};

/// `types`: the sort column, the extras, and the number of values last.
Type top_type(std::span<const Type> types) {
  if (types.size() <= 2) return Type::array(types[0]);
  std::vector<StructField> fields{{"sort_col", types[0]}};
  for (std::size_t i = 1; i + 1 < types.size(); ++i) fields.push_back({"col" + std::to_string(i - 1), types[i]});
  return Type::array(Type::structure(std::move(fields)));
}

FunctionVariant top(const std::string& type) {
  return returning(aggregate(type + " sort_col, ANY... others, literal INT k >= 1 -> ARRAY<" + type + ">",
                             {.structured = true}, heap_aggregate<TopOps<false>>()),
                   top_type);
}

FunctionVariant top_distinct(const std::string& type) {
  return returning(aggregate(type + " value, literal INT k >= 1 -> ARRAY<" + type + ">", {.structured = true},
                             heap_aggregate<TopOps<true>>()),
                   top_type);
}

}  // namespace

FunctionFamily top_aggregates() {
  return {define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "TOPK",
                  .doc = "The k largest values, descending; further columns ride along in structs.",
                  .variants = {top("INT"), top("BIGINT"), top("DOUBLE"), top("STRING")},
                  .examples = {{"TOPK(x, 2)", "ARRAY[3, 3]", {"ARRAY[1, 3, 2, 3]"}},
                               {"TOPK(x, y, 1)",
                                "ARRAY[STRUCT(`sort_col` := 3, `col0` := 'b')]",
                                {"ARRAY[1, 3]", "ARRAY['a', 'b']"}}}}),
          define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "TOPKDISTINCT",
                  .doc = "The k largest distinct values, descending.",
                  .variants = {top_distinct("INT"), top_distinct("BIGINT"), top_distinct("DOUBLE"),
                               top_distinct("STRING"), top_distinct("DECIMAL"), top_distinct("DATE"),
                               top_distinct("TIME"), top_distinct("TIMESTAMP"), top_distinct("BYTES")},
                  .examples = {{"TOPKDISTINCT(x, 2)", "ARRAY[3, 2]", {"ARRAY[1, 3, 2, 3]"}}}})};
}

}  // namespace millrace::inline exec
