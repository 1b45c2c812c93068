#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "exec/expr/kernel_loops.h"

namespace millrace::inline exec {
namespace {

constexpr std::string_view kNullOperand = "arithmetic with a NULL operand";
constexpr std::string_view kDivisionByZero = "division by zero";

template <class T>
using Unsigned = std::make_unsigned_t<T>;

template <class T>
T wrap_divide(T a, T b) {
  if (b == -1) return static_cast<T>(Unsigned<T>(0) - static_cast<Unsigned<T>>(a));
  return a / b;
}
template <class T>
T wrap_modulo(T a, T b) {
  return b == -1 ? 0 : a % b;
}

/// Division of 63-bit magnitudes by a constant through one multiplication.
struct ConstantDivisor {
  std::uint64_t divisor;
  std::uint64_t multiplier;
  int shift;

  explicit ConstantDivisor(std::uint64_t by) : divisor(by) {
    const int log = std::bit_width(by - 1);
    shift = 63 + log;
    multiplier = static_cast<std::uint64_t>((static_cast<unsigned __int128>(1) << shift) / by) + 1;
  }
  std::uint64_t divide(std::uint64_t magnitude) const {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(magnitude) * multiplier >> shift);
  }
};

template <class T>
void divide_by_constant(const Operand& left, T divisor, bool modulo, std::size_t rows, T* out) {
  const ConstantDivisor by(static_cast<std::uint64_t>(divisor));
  unary_loop<T>(left, rows, out, [&by, modulo](T value) {
    const auto wide = static_cast<std::int64_t>(value);
    if (wide == std::numeric_limits<std::int64_t>::min()) {
      const auto exact = static_cast<std::int64_t>(by.divisor);
      return static_cast<T>(modulo ? wide % exact : wide / exact);
    }
    const std::uint64_t magnitude = static_cast<std::uint64_t>(wide < 0 ? -wide : wide);
    const std::uint64_t quotient = by.divide(magnitude);
    const auto result = static_cast<std::int64_t>(modulo ? magnitude - quotient * by.divisor : quotient);
    return static_cast<T>(wide < 0 ? -result : result);
  });
}

template <class T>
class ArithmeticNode final : public Node {
 public:
  ArithmeticNode(ArithmeticOp op, Type type, NodeBox left, NodeBox right)
      : Node(std::move(type)), op_(op), left_(std::move(left)), right_(std::move(right)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const Operand left = operand(*left_, frame);
    const Operand right = operand(*right_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    T* out = column->template values_mut<T>();
    if (op_ == ArithmeticOp::divide || op_ == ArithmeticOp::modulo)
      divide(left, right, frame, *column, out);
    else
      compute(left, right, rows, out);
    if (!left.column->nulls.empty() || !right.column->nulls.empty()) {
      Bitmap nulls;
      merge_nulls(left, rows, nulls);
      merge_nulls(right, rows, nulls);
      fail_rows(nulls, rows, frame, kNullOperand);
      merge_nulls({column, false}, rows, nulls);
      column->nulls = std::move(nulls);
    }
    return column;
  }

 private:
  void compute(const Operand& left, const Operand& right, std::size_t rows, T* out) {
    if constexpr (std::is_floating_point_v<T>) {
      if (op_ == ArithmeticOp::add) return binary_loop<T, T>(left, right, rows, out, [](T a, T b) { return a + b; });
      if (op_ == ArithmeticOp::subtract)
        return binary_loop<T, T>(left, right, rows, out, [](T a, T b) { return a - b; });
      return binary_loop<T, T>(left, right, rows, out, [](T a, T b) { return a * b; });
    } else {
      using U = Unsigned<T>;
      if (op_ == ArithmeticOp::add)
        return binary_loop<T, T>(left, right, rows, out,
                                 [](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
      if (op_ == ArithmeticOp::subtract)
        return binary_loop<T, T>(left, right, rows, out,
                                 [](T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
      return binary_loop<T, T>(left, right, rows, out,
                               [](T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); });
    }
  }

  void divide(const Operand& left, const Operand& right, Frame& frame, Column& column, T* out) {
    const std::size_t rows = frame.rows();
    if constexpr (std::is_floating_point_v<T>) {
      if (op_ == ArithmeticOp::divide) return binary_loop<T, T>(left, right, rows, out, [](T a, T b) { return a / b; });
      return binary_loop<T, T>(left, right, rows, out, [](T a, T b) { return std::fmod(a, b); });
    } else {
      const bool modulo = op_ == ArithmeticOp::modulo;
      if (right.constant && right.column->nulls.empty()) {
        const T divisor = right.column->data.template as<T>()[0];
        if (divisor > 0) return divide_by_constant<T>(left, divisor, modulo, rows, out);
      }
      const T* a = left.column->data.template as<T>();
      const T* b = right.column->data.template as<T>();
      for (std::size_t i = 0; i < rows; ++i) {
        const T by = b[right.row(i)];
        if (by == 0) {
          out[i] = 0;
          if (left.is_null(i) || right.is_null(i)) continue;
          frame.fail(i, kDivisionByZero);
          column.nulls.set(i, rows);
        } else {
          out[i] = modulo ? wrap_modulo(a[left.row(i)], by) : wrap_divide(a[left.row(i)], by);
        }
      }
    }
  }

  ArithmeticOp op_;
  NodeBox left_, right_;
};

class ConcatNode final : public Node {
 public:
  ConcatNode(NodeBox left, NodeBox right) : Node(Type::string()), left_(std::move(left)), right_(std::move(right)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const Operand left = operand(*left_, frame);
    const Operand right = operand(*right_, frame);
    auto column = make_column(type(), frame.rows());
    auto arena = std::make_shared<Arena>();
    merge_nulls(left, frame.rows(), column->nulls);
    merge_nulls(right, frame.rows(), column->nulls);
    fail_rows(column->nulls, frame.rows(), frame, kNullOperand);
    const auto* a = left.column->data.as<std::string_view>();
    const auto* b = right.column->data.as<std::string_view>();
    auto* out = column->values_mut<std::string_view>();
    for (std::size_t i = 0; i < frame.rows(); ++i)
      if (!column->nulls.test(i)) out[i] = join(a[left.row(i)], b[right.row(i)], *arena);
    column->keep.push_back(std::move(arena));
    return column;
  }

 private:
  static std::string_view join(std::string_view a, std::string_view b, Arena& arena) {
    const std::size_t size = a.size() + b.size();
    if (size == 0) return {};
    char* at = arena.allocate(size);
    if (!a.empty()) std::memcpy(at, a.data(), a.size());
    if (!b.empty()) std::memcpy(at + a.size(), b.data(), b.size());
    return {at, size};
  }
  NodeBox left_, right_;
};

template <class T>
class NegateNode final : public Node {
 public:
  explicit NegateNode(NodeBox value) : Node(value->type()), value_(std::move(value)) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    auto column = make_column(type(), frame.rows());
    merge_nulls(in, frame.rows(), column->nulls);
    fail_rows(column->nulls, frame.rows(), frame, kNullOperand);
    unary_loop<T>(in, frame.rows(), column->template values_mut<T>(), [](T a) {
      if constexpr (std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>)
        return static_cast<T>(Unsigned<T>(0) - static_cast<Unsigned<T>>(a));
      else
        return -a;
    });
    return column;
  }

 private:
  NodeBox value_;
};

}  // namespace

NodeBox make_arithmetic_node(ArithmeticOp op, Type type, NodeBox left, NodeBox right) {
  switch (type.kind()) {
    case TypeKind::integer:
      return std::make_unique<ArithmeticNode<std::int32_t>>(op, type, std::move(left), std::move(right));
    case TypeKind::bigint:
      return std::make_unique<ArithmeticNode<std::int64_t>>(op, type, std::move(left), std::move(right));
    case TypeKind::double_:
      return std::make_unique<ArithmeticNode<double>>(op, type, std::move(left), std::move(right));
    default:
      throw SqlError(Code::not_supported, {}, "arithmetic on " + type.to_string());
  }
}

NodeBox make_concat_node(NodeBox left, NodeBox right) {
  return std::make_unique<ConcatNode>(std::move(left), std::move(right));
}

NodeBox make_negate_node(NodeBox value) {
  switch (value->type().kind()) {
    case TypeKind::integer:
      return std::make_unique<NegateNode<std::int32_t>>(std::move(value));
    case TypeKind::bigint:
      return std::make_unique<NegateNode<std::int64_t>>(std::move(value));
    case TypeKind::double_:
      return std::make_unique<NegateNode<double>>(std::move(value));
    case TypeKind::decimal:
      return std::make_unique<NegateNode<Int128>>(std::move(value));
    default:
      throw SqlError(Code::not_supported, {}, "negation of " + value->type().to_string());
  }
}

}  // namespace millrace::inline exec
