#include <cmath>
#include <limits>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

template <class T>
T wrap_add(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
  else
    return a + b;
}
template <class T>
T wrap_subtract(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) - static_cast<std::make_unsigned_t<T>>(b));
  else
    return a - b;
}

template <class T>
struct OneInput : FlatInput<T> {
  explicit OneInput(std::span<const ColumnPtr> arguments) : FlatInput<T>(*arguments[0]) {}
};

struct NeverOverflows {
  Error overflow() const { return Error{}; }
};

struct CountOps : NeverOverflows {
  struct State {
    std::int64_t count;
  };
  struct Input {
    const Bitmap* nulls = nullptr;
    explicit Input(std::span<const ColumnPtr> arguments) {
      if (!arguments.empty() && !arguments[0]->nulls.empty()) nulls = &arguments[0]->nulls;
    }
    int step(std::size_t row) const { return nulls != nullptr && nulls->test(row) ? 0 : 1; }
  };
  static constexpr bool kUndo = true;
  explicit CountOps(const AggregateSpec&) {}
  bool add(State& s, const Input& in, std::size_t row) const {
    s.count += in.step(row);
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    s.count -= in.step(row);
    return true;
  }
  bool merge(State& into, const State& from) const {
    into.count += from.count;
    return true;
  }
  void encode(const State& s, std::string& out) const { codec::put(s.count, out); }
  bool decode(std::string_view& in, State& s) const { return codec::get(in, s.count); }
  void write(const State& s, Column& column, std::size_t row) const {
    column.values_mut<std::int64_t>()[row] = s.count;
  }
};

template <class T>
struct SumOps : NeverOverflows {
  struct State {
    T sum;
  };
  using Input = OneInput<T>;
  static constexpr bool kUndo = true;
  explicit SumOps(const AggregateSpec&) {}
  bool add(State& s, const Input& in, std::size_t row) const {
    if (!in.is_null(row)) s.sum = wrap_add(s.sum, in.values[row]);
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    if (!in.is_null(row)) s.sum = wrap_subtract(s.sum, in.values[row]);
    return true;
  }
  bool merge(State& into, const State& from) const {
    into.sum = wrap_add(into.sum, from.sum);
    return true;
  }
  void encode(const State& s, std::string& out) const { codec::put(s.sum, out); }
  bool decode(std::string_view& in, State& s) const { return codec::get(in, s.sum); }
  void write(const State& s, Column& column, std::size_t row) const { column.values_mut<T>()[row] = s.sum; }
};

struct DecimalSumOps {
  struct State {
    Int128 sum;
  };
  using Input = OneInput<Int128>;
  static constexpr bool kUndo = true;
  explicit DecimalSumOps(const AggregateSpec& spec) : type(spec.result) {}
  Type type;

  bool shift(State& s, Int128 by) const {
    return !__builtin_add_overflow(s.sum, by, &s.sum) && fits(s.sum, type.precision());
  }
  bool add(State& s, const Input& in, std::size_t row) const { return in.is_null(row) || shift(s, in.values[row]); }
  bool remove(State& s, const Input& in, std::size_t row) const { return in.is_null(row) || shift(s, -in.values[row]); }
  bool merge(State& into, const State& from) const { return shift(into, from.sum); }
  Error overflow() const { return user_error("Numeric field overflow: SUM does not fit {}", type.to_string()); }
  void encode(const State& s, std::string& out) const { codec::put(s.sum, out); }
  bool decode(std::string_view& in, State& s) const { return codec::get(in, s.sum); }
  void write(const State& s, Column& column, std::size_t row) const { column.values_mut<Int128>()[row] = s.sum; }
};

/// The running sum has the width of the argument and wraps.
template <class T>
struct AverageOps : NeverOverflows {
  struct State {
    T sum;
    std::int64_t count;
  };
  using Input = OneInput<T>;
  static constexpr bool kUndo = true;
  explicit AverageOps(const AggregateSpec&) {}
  bool add(State& s, const Input& in, std::size_t row) const {
    if (in.is_null(row)) return true;
    s.sum = wrap_add(s.sum, in.values[row]);
    ++s.count;
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    if (in.is_null(row)) return true;
    s.sum = wrap_subtract(s.sum, in.values[row]);
    --s.count;
    return true;
  }
  bool merge(State& into, const State& from) const {
    into.sum = wrap_add(into.sum, from.sum);
    into.count += from.count;
    return true;
  }
  void encode(const State& s, std::string& out) const {
    codec::put(s.sum, out);
    codec::put(s.count, out);
  }
  bool decode(std::string_view& in, State& s) const { return codec::get(in, s.sum) && codec::get(in, s.count); }
  void write(const State& s, Column& column, std::size_t row) const {
    column.values_mut<double>()[row] = s.count == 0 ? 0.0 : static_cast<double>(s.sum) / static_cast<double>(s.count);
  }
};

/// Sample variance from count, sum and the sum of squared deviations, all of which can be run backwards.
template <class T, bool Root>
struct DeviationOps : NeverOverflows {
  struct State {
    double sum;
    double squares;
    std::int64_t count;
  };
  using Input = OneInput<T>;
  static constexpr bool kUndo = true;
  explicit DeviationOps(const AggregateSpec&) {}
  static double step(double value, double count, double sum) {
    const double distance = count * value - sum;
    return count < 2 ? 0.0 : distance * distance / (count * (count - 1));
  }
  bool add(State& s, const Input& in, std::size_t row) const {
    if (in.is_null(row)) return true;
    const auto value = static_cast<double>(in.values[row]);
    s.sum += value;
    ++s.count;
    s.squares += step(value, static_cast<double>(s.count), s.sum);
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    if (in.is_null(row)) return true;
    const auto value = static_cast<double>(in.values[row]);
    s.squares -= step(value, static_cast<double>(s.count), s.sum);
    s.sum -= value;
    --s.count;
    return true;
  }
  bool merge(State& into, const State& from) const {
    if (from.count == 0) return true;
    if (into.count == 0) {
      into = from;
      return true;
    }
    const auto a = static_cast<double>(into.count);
    const auto b = static_cast<double>(from.count);
    const double distance = b / a * into.sum - from.sum;
    into.squares += from.squares + a / (b * (a + b)) * distance * distance;
    into.sum += from.sum;
    into.count += from.count;
    return true;
  }
  void encode(const State& s, std::string& out) const {
    codec::put(s.sum, out);
    codec::put(s.squares, out);
    codec::put(s.count, out);
  }
  bool decode(std::string_view& in, State& s) const {
    return codec::get(in, s.sum) && codec::get(in, s.squares) && codec::get(in, s.count);
  }
  void write(const State& s, Column& column, std::size_t row) const {
    const double variance = s.count < 2 ? 0.0 : s.squares / static_cast<double>(s.count - 1);
    column.values_mut<double>()[row] = Root ? std::sqrt(variance) : variance;
  }
};

template <class T>
struct CorrelationOps : NeverOverflows {
  struct State {
    double x, y, xx, yy, xy;
    std::int64_t count;
  };
  struct Input {
    FlatInput<T> x, y;
    explicit Input(std::span<const ColumnPtr> arguments) : x(*arguments[0]), y(*arguments[1]) {}
  };
  static constexpr bool kUndo = true;
  explicit CorrelationOps(const AggregateSpec&) {}
  static void shift(State& s, const Input& in, std::size_t row, int sign) {
    if (in.x.is_null(row) || in.y.is_null(row)) return;
    const auto x = static_cast<double>(in.x.values[row]);
    const auto y = static_cast<double>(in.y.values[row]);
    s.x += sign * x;
    s.y += sign * y;
    s.xx += sign * x * x;
    s.yy += sign * y * y;
    s.xy += sign * x * y;
    s.count += sign;
  }
  bool add(State& s, const Input& in, std::size_t row) const {
    shift(s, in, row, 1);
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    shift(s, in, row, -1);
    return true;
  }
  bool merge(State& into, const State& from) const {
    into.x += from.x;
    into.y += from.y;
    into.xx += from.xx;
    into.yy += from.yy;
    into.xy += from.xy;
    into.count += from.count;
    return true;
  }
  void encode(const State& s, std::string& out) const {
    for (const double part : {s.x, s.y, s.xx, s.yy, s.xy}) codec::put(part, out);
    codec::put(s.count, out);
  }
  bool decode(std::string_view& in, State& s) const {
    for (double* part : {&s.x, &s.y, &s.xx, &s.yy, &s.xy})
      if (!codec::get(in, *part)) return false;
    return codec::get(in, s.count);
  }
  void write(const State& s, Column& column, std::size_t row) const {
    const auto n = static_cast<double>(s.count);
    const double covariance = n * s.xy - s.x * s.y;
    const double spread = std::sqrt((n * s.xx - s.x * s.x) * (n * s.yy - s.y * s.y));
    column.values_mut<double>()[row] =
        spread == 0 || s.count < 2 ? std::numeric_limits<double>::quiet_NaN() : covariance / spread;
  }
};

template <class T>
struct SumListOps : SumOps<T> {
  using State = typename SumOps<T>::State;
  struct Input {
    const Column& lists;
    FlatInput<T> items;
    explicit Input(std::span<const ColumnPtr> arguments) : lists(*arguments[0]), items(*arguments[0]->children[0]) {}
    T total(std::size_t row) const {
      T sum{};
      if (lists.is_null(row)) return sum;
      const auto* offsets = lists.data.as<std::uint32_t>();
      for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i)
        if (!items.is_null(i)) sum = wrap_add(sum, items.values[i]);
      return sum;
    }
  };
  using SumOps<T>::SumOps;
  bool add(State& s, const Input& in, std::size_t row) const {
    s.sum = wrap_add(s.sum, in.total(row));
    return true;
  }
  bool remove(State& s, const Input& in, std::size_t row) const {
    s.sum = wrap_subtract(s.sum, in.total(row));
    return true;
  }
};

// What combines is exact in any order: whole numbers wrap. Sums of DOUBLE round, those of DECIMAL may overflow on the
// way.
constexpr AggregateTraits kPlain{.undo = true};
constexpr AggregateTraits kStructured{.undo = true, .structured = true};
constexpr AggregateTraits kPlainWhole{.undo = true, .combines = true};
constexpr AggregateTraits kStructuredWhole{.undo = true, .structured = true, .combines = true};

FunctionVariant decimal_sum() {
  return returning(aggregate("DECIMAL value -> DECIMAL", kPlain, fixed_aggregate<DecimalSumOps>()),
                   [](std::span<const Type> types) { return types[0]; });
}

template <bool Root>
std::vector<FunctionVariant> deviations() {
  return {aggregate("INT value -> DOUBLE", kStructured, fixed_aggregate<DeviationOps<std::int32_t, Root>>()),
          aggregate("BIGINT value -> DOUBLE", kStructured, fixed_aggregate<DeviationOps<std::int64_t, Root>>()),
          aggregate("DOUBLE value -> DOUBLE", kStructured, fixed_aggregate<DeviationOps<double, Root>>())};
}

FunctionDef count_def() {
  return aggregate_def({.name = "COUNT",
                        .doc = "Number of rows; with an argument, of those where it is not NULL.",
                        .variants = {aggregate("-> BIGINT", kPlainWhole, fixed_aggregate<CountOps>()),
                                     aggregate("T value -> BIGINT", kPlainWhole, fixed_aggregate<CountOps>())},
                        .examples = {{"COUNT(*)", "CAST(3 AS BIGINT)", {"ARRAY[1, NULL, 5]"}},
                                     {"COUNT(x)", "CAST(2 AS BIGINT)", {"ARRAY[1, NULL, 5]"}}}});
}

FunctionDef sum_def() {
  return aggregate_def(
      {.name = "SUM",
       .doc = "Total of the values that are not NULL.",
       .variants = {decimal_sum(), aggregate("DOUBLE value -> DOUBLE", kPlain, fixed_aggregate<SumOps<double>>()),
                    aggregate("BIGINT value -> BIGINT", kPlainWhole, fixed_aggregate<SumOps<std::int64_t>>()),
                    aggregate("INT value -> INT", kPlainWhole, fixed_aggregate<SumOps<std::int32_t>>())},
       .examples = {{"SUM(x)", "6", {"ARRAY[1, NULL, 5]"}},
                    {"SUM(x)", "4.0", {"ARRAY[1.5, 2.5]"}},
                    {"SUM(x)", "error", {"ARRAY[9.5, 2.5]"}}}});
}

FunctionDef average_def() {
  return aggregate_def(
      {.name = "AVG",
       .doc = "Mean of the values that are not NULL; 0 when there are none.",
       .variants = {aggregate("INT value -> DOUBLE", kStructuredWhole, fixed_aggregate<AverageOps<std::int32_t>>()),
                    aggregate("BIGINT value -> DOUBLE", kStructuredWhole, fixed_aggregate<AverageOps<std::int64_t>>()),
                    aggregate("DOUBLE value -> DOUBLE", kStructured, fixed_aggregate<AverageOps<double>>())},
       .examples = {{"AVG(x)", "2.5E0", {"ARRAY[1, NULL, 4]"}}}});
}

FunctionDef correlation_def() {
  return aggregate_def(
      {.name = "CORRELATION",
       .doc = "Pearson correlation of the pairs without NULL.",
       .variants = {aggregate("INT x, INT y -> DOUBLE", kStructured, fixed_aggregate<CorrelationOps<std::int32_t>>()),
                    aggregate("BIGINT x, BIGINT y -> DOUBLE", kStructured,
                              fixed_aggregate<CorrelationOps<std::int64_t>>()),
                    aggregate("DOUBLE x, DOUBLE y -> DOUBLE", kStructured, fixed_aggregate<CorrelationOps<double>>())},
       .examples = {{"CORRELATION(x, y)", "1E0", {"ARRAY[1, 2, 3]", "ARRAY[2, 4, 6]"}}}});
}

FunctionDef sum_list_def() {
  return aggregate_def(
      {.name = "SUM_LIST",
       .doc = "Total of the elements of all lists.",
       .variants = {aggregate("ARRAY<DOUBLE> values -> DOUBLE", kPlain, fixed_aggregate<SumListOps<double>>()),
                    aggregate("ARRAY<INT> values -> INT", kPlainWhole, fixed_aggregate<SumListOps<std::int32_t>>()),
                    aggregate("ARRAY<BIGINT> values -> BIGINT", kPlainWhole,
                              fixed_aggregate<SumListOps<std::int64_t>>())},
       .examples = {{"SUM_LIST(x)", "6", {"ARRAY[ARRAY[1, 2], ARRAY[3]]"}}}});
}

}  // namespace

FunctionFamily numeric_aggregates() {
  return {count_def(),
          sum_def(),
          average_def(),
          correlation_def(),
          sum_list_def(),
          aggregate_def({.name = "STDDEV_SAMP",
                         .doc = "Sample variance of the values; 0 for fewer than two.",
                         .variants = deviations<false>(),
                         .examples = {{"STDDEV_SAMP(x)", "4E0", {"ARRAY[1, 3, 5]"}}}}),
          aggregate_def({.name = "STDDEV_SAMPLE",
                         .doc = "Sample standard deviation of the values; 0 for fewer than two.",
                         .variants = deviations<true>(),
                         .examples = {{"STDDEV_SAMPLE(x)", "2E0", {"ARRAY[1, 3, 5]"}},
                                      {"STDDEV_SAMPLE(x)", "0E0", {"ARRAY[1]"}}}})};
}

}  // namespace millrace::inline exec
