#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "exec/data/result.h"
#include "exec/functions/declare.h"

/// `scalar<fn>(names)`: a variation made from a C++ function on scalars. SQL types, nullability and fallibility come
/// from its signature:
///   bool, int32_t, int64_t, double, std::string_view, BytesView, Date, Time, Timestamp   NULL in gives NULL out
///   std::optional<T>   sees NULL           Variadic<T>   any number of last arguments, sees NULL
///   Arena& (first)     memory for texts it makes
/// Returns T, std::optional<T>, Result<T> or Result<std::optional<T>>; a Result can fail the row.
namespace millrace::inline exec {

struct BytesView {
  std::string_view data;
};

namespace detail {

template <class T>
struct SqlTraits;
template <class Stored, TypeKind Kind>
struct PlainTraits {
  using Storage = Stored;
  static Type type() { return Type(Kind); }
  static constexpr bool is_view = std::is_same_v<Stored, std::string_view>;
};
template <>
struct SqlTraits<bool> : PlainTraits<std::uint8_t, TypeKind::boolean> {
  static bool load(std::uint8_t v) { return v != 0; }
  static std::uint8_t store(bool v) { return v ? 1 : 0; }
};
template <>
struct SqlTraits<std::int32_t> : PlainTraits<std::int32_t, TypeKind::integer> {
  static std::int32_t load(std::int32_t v) { return v; }
  static std::int32_t store(std::int32_t v) { return v; }
};
template <>
struct SqlTraits<std::int64_t> : PlainTraits<std::int64_t, TypeKind::bigint> {
  static std::int64_t load(std::int64_t v) { return v; }
  static std::int64_t store(std::int64_t v) { return v; }
};
template <>
struct SqlTraits<double> : PlainTraits<double, TypeKind::double_> {
  static double load(double v) { return v; }
  static double store(double v) { return v; }
};
template <>
struct SqlTraits<std::string_view> : PlainTraits<std::string_view, TypeKind::string> {
  static std::string_view load(std::string_view v) { return v; }
  static std::string_view store(std::string_view v) { return v; }
};
template <>
struct SqlTraits<BytesView> : PlainTraits<std::string_view, TypeKind::bytes> {
  static BytesView load(std::string_view v) { return {v}; }
  static std::string_view store(BytesView v) { return v.data; }
};
template <>
struct SqlTraits<Date> : PlainTraits<std::int32_t, TypeKind::date> {
  static Date load(std::int32_t v) { return {v}; }
  static std::int32_t store(Date v) { return v.days; }
};
template <>
struct SqlTraits<Time> : PlainTraits<std::int32_t, TypeKind::time> {
  static Time load(std::int32_t v) { return {v}; }
  static std::int32_t store(Time v) { return v.millis; }
};
template <>
struct SqlTraits<Timestamp> : PlainTraits<std::int64_t, TypeKind::timestamp> {
  static Timestamp load(std::int64_t v) { return {v}; }
  static std::int64_t store(Timestamp v) { return v.millis; }
};

template <class T>
T load_at(const Operand& operand, std::size_t row) {
  using Storage = typename SqlTraits<T>::Storage;
  return SqlTraits<T>::load(operand.column->data.as<Storage>()[operand.row(row)]);
}

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

}  // namespace detail

/// The last arguments of a call on one row.
template <class T>
class Variadic {
 public:
  Variadic(std::span<const Operand> operands, std::size_t row) : operands_(operands), row_(row) {}
  std::size_t size() const { return operands_.size(); }
  std::optional<T> operator[](std::size_t i) const {
    if (operands_[i].is_null(row_)) return std::nullopt;
    return detail::load_at<T>(operands_[i], row_);
  }

 private:
  std::span<const Operand> operands_;
  std::size_t row_;
};

namespace detail {

/// How a C++ parameter type reads its argument.
template <class P>
struct Parameter {
  using Base = P;
  static constexpr bool propagates_null = true;
  static constexpr bool variadic = false;
  static P read(std::span<const Operand> operands, std::size_t index, std::size_t row) {
    return load_at<P>(operands[index], row);
  }
};
template <class T>
struct Parameter<std::optional<T>> {
  using Base = T;
  static constexpr bool propagates_null = false;
  static constexpr bool variadic = false;
  static std::optional<T> read(std::span<const Operand> operands, std::size_t index, std::size_t row) {
    if (operands[index].is_null(row)) return std::nullopt;
    return load_at<T>(operands[index], row);
  }
};
template <class T>
struct Parameter<Variadic<T>> {
  using Base = T;
  static constexpr bool propagates_null = false;
  static constexpr bool variadic = true;
  static Variadic<T> read(std::span<const Operand> operands, std::size_t index, std::size_t row) {
    return {operands.subspan(index), row};
  }
};

template <class R>
struct Returned {
  using Base = R;
  static constexpr bool plain = true;
};
template <class T>
struct Returned<std::optional<T>> {
  using Base = T;
  static constexpr bool plain = false;
};
template <class T>
struct Returned<Result<T>> {
  using Base = typename Returned<T>::Base;
  static constexpr bool plain = false;
};

template <class F>
struct Shape;
template <class R, class... P>
struct Shape<R (*)(P...)> {
  using Return = R;
  using Parameters = std::tuple<P...>;
  static constexpr bool arena = false;
};
template <class R, class... P>
struct Shape<R (*)(Arena&, P...)> {
  using Return = R;
  using Parameters = std::tuple<P...>;
  static constexpr bool arena = true;
};

template <auto Fn>
class ScalarFnKernel final : public ScalarKernel {
  using S = Shape<decltype(Fn)>;
  using Out = typename Returned<typename S::Return>::Base;
  using Storage = typename SqlTraits<Out>::Storage;
  static constexpr std::size_t kCount = std::tuple_size_v<typename S::Parameters>;
  template <std::size_t I>
  using Param = Parameter<std::tuple_element_t<I, typename S::Parameters>>;

 public:
  explicit ScalarFnKernel(OnNull on_null) : on_null_(on_null) {}

  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody>) override {
    return run(frame, arguments, std::make_index_sequence<kCount>());
  }

 private:
  template <std::size_t... I>
  ColumnPtr run(Frame& frame, std::span<const Operand> arguments, std::index_sequence<I...> all) {
    const std::size_t rows = frame.rows();
    auto column = make_column(SqlTraits<Out>::type(), rows);
    Storage* out = column->template values_mut<Storage>();
    (propagate<I>(arguments, rows, column->nulls), ...);
    if (on_null_ == OnNull::fail) fail_rows(column->nulls, rows, frame, "a function argument is NULL");
    std::shared_ptr<Arena> arena;
    if constexpr (S::arena) arena = std::make_shared<Arena>();
    const bool no_nulls = column->nulls.empty();
    for (std::size_t i = 0; i < rows; ++i) {
      if (!no_nulls && column->nulls.test(i)) {
        out[i] = Storage{};
        continue;
      }
      if constexpr (Returned<typename S::Return>::plain)
        out[i] = SqlTraits<Out>::store(call(arguments, arena.get(), i, all));
      else
        take(call(arguments, arena.get(), i, all), frame, i, *column, out);
    }
    if constexpr (SqlTraits<Out>::is_view) {
      for (const Operand& argument : arguments) column->keep.push_back(argument.column);
      if (arena != nullptr) column->keep.push_back(std::move(arena));
    }
    return column;
  }

  template <std::size_t I>
  static void propagate(std::span<const Operand> arguments, std::size_t rows, Bitmap& nulls) {
    if constexpr (Param<I>::propagates_null) merge_nulls(arguments[I], rows, nulls);
  }

  template <std::size_t... I>
  static typename S::Return call(std::span<const Operand> arguments, [[maybe_unused]] Arena* arena, std::size_t row,
                                 std::index_sequence<I...>) {
    if constexpr (S::arena)
      return Fn(*arena, Param<I>::read(arguments, I, row)...);
    else
      return Fn(Param<I>::read(arguments, I, row)...);
  }

  template <class T>
  static void take(const std::optional<T>& value, Frame&, std::size_t row, Column& column, Storage* out) {
    out[row] = value ? SqlTraits<Out>::store(*value) : Storage{};
    if (!value) column.nulls.set(row, column.size);
  }
  template <class T>
  static void take(const Result<T>& value, Frame& frame, std::size_t row, Column& column, Storage* out) {
    if (!value) {
      frame.fail(row, value.error().message);
      out[row] = Storage{};
      column.nulls.set(row, column.size);
    } else if constexpr (is_optional<T>::value) {
      take(*value, frame, row, column, out);
    } else {
      out[row] = SqlTraits<Out>::store(*value);
    }
  }

  OnNull on_null_;
};

template <auto Fn>
struct ScalarFn final : ScalarImplementation {
  OnNull on_null;
  explicit ScalarFn(OnNull n) : on_null(n) {}
  std::unique_ptr<ScalarKernel> make(const CallTypes&) const override {
    return std::make_unique<ScalarFnKernel<Fn>>(on_null);
  }
};

template <class P>
ParameterDef parameter_def(std::string_view name) {
  ParameterDef def;
  def.name = name;
  def.type = {.kind = TypePattern::Kind::concrete, .type = SqlTraits<typename Parameter<P>::Base>::type()};
  return def;
}

}  // namespace detail

template <auto Fn>
FunctionVariant scalar(std::initializer_list<std::string_view> names, OnNull on_null = OnNull::result_null) {
  using S = detail::Shape<decltype(Fn)>;
  FunctionVariant variant;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (variant.parameters.push_back(
         detail::parameter_def<std::tuple_element_t<I, typename S::Parameters>>(names.begin()[I])),
     ...);
    ((detail::Parameter<std::tuple_element_t<I, typename S::Parameters>>::variadic
          ? variant.variadic = static_cast<int>(I)
          : 0),
     ...);
  }
  (std::make_index_sequence<std::tuple_size_v<typename S::Parameters>>());
  using Out = typename detail::Returned<typename S::Return>::Base;
  variant.returns = {.kind = TypePattern::Kind::concrete, .type = detail::SqlTraits<Out>::type()};
  variant.implementation = std::make_shared<detail::ScalarFn<Fn>>(on_null);
  return variant;
}

}  // namespace millrace::inline exec
