#include <cmath>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"
#include "planner/types/text_order.h"

namespace millrace::inline exec {
namespace {

// Of DOUBLE as Java orders it, NaN last and -0.0 before 0.0: the result must not depend on the order of the rows.
template <class T>
bool precedes(T a, T b) {
  if constexpr (std::is_same_v<T, double>) {
    if (a == b) return std::signbit(a) && !std::signbit(b);
    return a < b || (std::isnan(b) && !std::isnan(a));
  } else {
    return a < b;
  }
}

template <class T, bool Max>
struct ExtremeOps {
  struct State {
    T value;
    bool set;
  };
  struct Input : FlatInput<T> {
    explicit Input(std::span<const ColumnPtr> arguments) : FlatInput<T>(*arguments[0]) {}
  };
  static constexpr bool kUndo = false;
  explicit ExtremeOps(const AggregateSpec&) {}

  static void take(State& s, T value) {
    if (!s.set || (Max ? precedes(s.value, value) : precedes(value, s.value))) s.value = value;
    s.set = true;
  }
  bool add(State& s, const Input& in, std::size_t row) const {
    if (!in.is_null(row)) take(s, in.values[row]);
    return true;
  }
  bool remove(State&, const Input&, std::size_t) const { return true; }
  bool merge(State& into, const State& from) const {
    if (from.set) take(into, from.value);
    return true;
  }
  Error overflow() const { return Error{}; }
  void encode(const State& s, std::string& out) const {
    codec::put(s.set, out);
    if (s.set) codec::put(s.value, out);
  }
  bool decode(std::string_view& in, State& s) const {
    return codec::get(in, s.set) && (!s.set || codec::get(in, s.value));
  }
  void write(const State& s, Column& column, std::size_t row) const {
    column.values_mut<T>()[row] = s.value;
    if (!s.set) column.nulls.set(row, column.size);
  }
};

/// Of STRING (order of UTF-16 code units) or BYTES (unsigned). An object is made by the first value.
template <bool Max, bool IsText>
struct ExtremeTextOps {
  struct Object {
    std::string value;
    bool set = false;
  };
  static constexpr bool kUndo = false;
  explicit ExtremeTextOps(const AggregateSpec&) {}

  static bool less(std::string_view a, std::string_view b) { return IsText ? compare_text(a, b) < 0 : a < b; }
  static void take(Object& o, std::string_view value) {
    if (!o.set || (Max ? less(o.value, value) : less(value, o.value))) o.value = value;
    o.set = true;
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (!arguments[0]->is_null(row)) take(o, arguments[0]->data.as<std::string_view>()[row]);
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    if (from.set) take(into, from.value);
  }
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.value); }
  void encode(const Object& o, std::string& out) const {
    codec::put(o.set, out);
    if (o.set) codec::put_text(o.value, out);
  }
  bool decode(std::string_view& in, Object& o) const {
    std::string_view text;
    if (!codec::get(in, o.set)) return false;
    if (o.set && !codec::get_text(in, text)) return false;
    o.value = text;
    return true;
  }
  Value result(const Object& o) const {
    if (!o.set) return {};
    if constexpr (IsText)
      return o.value;
    else
      return Bytes{o.value};
  }
};

template <bool Max>
std::vector<FunctionVariant> variants() {
  constexpr AggregateTraits kOrdered{.combines = true};
  const auto same = [](std::span<const Type> types) { return types[0]; };
  return {aggregate("INT value -> INT", kOrdered, fixed_aggregate<ExtremeOps<std::int32_t, Max>>()),
          aggregate("BIGINT value -> BIGINT", kOrdered, fixed_aggregate<ExtremeOps<std::int64_t, Max>>()),
          aggregate("DOUBLE value -> DOUBLE", kOrdered, fixed_aggregate<ExtremeOps<double, Max>>()),
          returning(aggregate("DECIMAL value -> DECIMAL", kOrdered, fixed_aggregate<ExtremeOps<Int128, Max>>()), same),
          aggregate("DATE value -> DATE", kOrdered, fixed_aggregate<ExtremeOps<std::int32_t, Max>>()),
          aggregate("TIME value -> TIME", kOrdered, fixed_aggregate<ExtremeOps<std::int32_t, Max>>()),
          aggregate("TIMESTAMP value -> TIMESTAMP", kOrdered, fixed_aggregate<ExtremeOps<std::int64_t, Max>>()),
          aggregate("STRING value -> STRING", kOrdered, heap_aggregate<ExtremeTextOps<Max, true>>()),
          aggregate("BYTES value -> BYTES", kOrdered, heap_aggregate<ExtremeTextOps<Max, false>>())};
}

}  // namespace

FunctionFamily extreme_aggregates() {
  return {define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "MAX",
                  .doc = "Largest of the values that are not NULL.",
                  .variants = variants<true>(),
                  .examples = {{"MAX(x)", "3", {"ARRAY[1, NULL, 3, 2]"}}, {"MAX(x)", "'b'", {"ARRAY['a', 'b']"}}}}),
          define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "MIN",
                  .doc = "Smallest of the values that are not NULL.",
                  .variants = variants<false>(),
                  .examples = {{"MIN(x)", "1", {"ARRAY[3, NULL, 1, 2]"}}}})};
}

}  // namespace millrace::inline exec
