#include "planner/types/cast.h"

#include <fmt/format.h>

#include "exec/expr/kernel_loops.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

/// Casts between fixed-width numbers that cannot fail.
template <class In, class Out, auto Fn>
class NumberCastNode final : public Node {
 public:
  NumberCastNode(NodeBox value, Type to) : Node(std::move(to)), value_(std::move(value)) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    auto column = make_column(type(), frame.rows());
    merge_nulls(in, frame.rows(), column->nulls);
    unary_loop<In>(in, frame.rows(), column->template values_mut<Out>(), [](In value) { return Fn(value); });
    return column;
  }

 private:
  NodeBox value_;
};

template <class In, class Out>
Out widen(In value) {
  return static_cast<Out>(value);
}

/// Into DECIMAL from anything whose values `Read` turns into a decimal or refuses.
template <class In, class Read>
class DecimalCastNode final : public Node {
 public:
  DecimalCastNode(NodeBox value, Type to, Read read) : Node(std::move(to)), value_(std::move(value)), read_(read) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    merge_nulls(in, rows, column->nulls);
    const In* values = in.column->data.template as<In>();
    auto* out = column->template values_mut<Int128>();
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = 0;
      if (column->nulls.test(i)) continue;
      if (const std::optional<Int128> result = read_(values[in.row(i)], type())) {
        out[i] = *result;
      } else {
        frame.fail(i, "the value does not fit " + type().to_string());
        column->nulls.set(i, rows);
      }
    }
    return column;
  }

 private:
  NodeBox value_;
  Read read_;
};

template <class In, class Read>
NodeBox decimal_cast(NodeBox value, Type to, Read read) {
  return std::make_unique<DecimalCastNode<In, Read>>(std::move(value), std::move(to), read);
}

/// Everything else, through boxes.
class BoxedCastNode final : public Node {
 public:
  BoxedCastNode(NodeBox value, Type to) : Node(std::move(to)), value_(std::move(value)) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    ColumnBuilder builder(type());
    std::string why;
    for (std::size_t i = 0; i < frame.rows(); ++i) {
      Value out;
      if (!cast_value(in.value(i), value_->type(), type(), out, why)) frame.fail(i, why);
      builder.append(out);
    }
    return builder.finish();
  }

 private:
  NodeBox value_;
};

class NullNode final : public Node {
 public:
  explicit NullNode(Type type) : Node(std::move(type)) {}
  ColumnPtr evaluate(Frame& frame) override { return make_null_column(type(), frame.rows()); }
};

template <class In>
NodeBox whole_to_decimal(NodeBox value, Type to) {
  return decimal_cast<In>(std::move(value), std::move(to), [](In number, const Type& type) {
    return to_decimal({number, 0}, type, Rounding::exact);
  });
}

NodeBox cast_to_decimal(NodeBox value, Type to) {
  switch (value->type().kind()) {
    case TypeKind::integer:
      return whole_to_decimal<std::int32_t>(std::move(value), std::move(to));
    case TypeKind::bigint:
      return whole_to_decimal<std::int64_t>(std::move(value), std::move(to));
    case TypeKind::double_:
      return decimal_cast<double>(std::move(value), std::move(to), &double_to_decimal);
    case TypeKind::decimal: {
      const int scale = value->type().scale();
      return decimal_cast<Int128>(std::move(value), std::move(to), [scale](Int128 unscaled, const Type& type) {
        return to_decimal({unscaled, scale}, type, Rounding::half_up);
      });
    }
    default:
      return std::make_unique<BoxedCastNode>(std::move(value), std::move(to));
  }
}

NodeBox cast_integer(NodeBox value, Type to) {
  using Int = std::int32_t;
  if (to.kind() == TypeKind::bigint)
    return std::make_unique<NumberCastNode<Int, std::int64_t, widen<Int, std::int64_t>>>(std::move(value), to);
  if (to.kind() == TypeKind::double_)
    return std::make_unique<NumberCastNode<Int, double, widen<Int, double>>>(std::move(value), to);
  return std::make_unique<BoxedCastNode>(std::move(value), std::move(to));
}

NodeBox cast_bigint(NodeBox value, Type to) {
  using Int = std::int64_t;
  if (to.kind() == TypeKind::integer)
    return std::make_unique<NumberCastNode<Int, std::int32_t, widen<Int, std::int32_t>>>(std::move(value), to);
  if (to.kind() == TypeKind::double_)
    return std::make_unique<NumberCastNode<Int, double, widen<Int, double>>>(std::move(value), to);
  return std::make_unique<BoxedCastNode>(std::move(value), std::move(to));
}

NodeBox cast_double(NodeBox value, Type to) {
  if (to.kind() == TypeKind::integer)
    return std::make_unique<NumberCastNode<double, std::int32_t, narrow_to_int>>(std::move(value), to);
  if (to.kind() == TypeKind::bigint)
    return std::make_unique<NumberCastNode<double, std::int64_t, narrow_to_bigint>>(std::move(value), to);
  return std::make_unique<BoxedCastNode>(std::move(value), std::move(to));
}

}  // namespace

NodeBox make_cast_node(NodeBox value, Type to) {
  const Type from = value->type();
  if (from == to) return value;
  if (from.is_null()) return std::make_unique<NullNode>(std::move(to));
  if (!is_cast_supported(from, to))
    throw SqlError(Code::type_mismatch, {},
                   fmt::format("Cast of {} to {} is not supported", from.to_string(), to.to_string()));
  if (to.kind() == TypeKind::decimal) return cast_to_decimal(std::move(value), std::move(to));
  if (from.kind() == TypeKind::integer) return cast_integer(std::move(value), std::move(to));
  if (from.kind() == TypeKind::bigint) return cast_bigint(std::move(value), std::move(to));
  if (from.kind() == TypeKind::double_) return cast_double(std::move(value), std::move(to));
  return std::make_unique<BoxedCastNode>(std::move(value), std::move(to));
}

}  // namespace millrace::inline exec
