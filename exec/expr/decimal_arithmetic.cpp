#include "exec/expr/node.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

class DecimalNode final : public Node {
 public:
  DecimalNode(ArithmeticOp op, Type type, NodeBox left, NodeBox right)
      : Node(std::move(type)), op_(op), left_(std::move(left)), right_(std::move(right)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const Operand left = operand(*left_, frame);
    const Operand right = operand(*right_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    merge_nulls(left, rows, column->nulls);
    merge_nulls(right, rows, column->nulls);
    fail_rows(column->nulls, rows, frame, "arithmetic with a NULL operand");
    const int left_scale = left_->type().scale();
    const int right_scale = right_->type().scale();
    const auto* a = left.column->data.as<Int128>();
    const auto* b = right.column->data.as<Int128>();
    auto* out = column->values_mut<Int128>();
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = 0;
      if (column->nulls.test(i)) continue;
      const auto result = compute({a[left.row(i)], left_scale}, {b[right.row(i)], right_scale});
      if (result) {
        out[i] = *result;
      } else {
        frame.fail(i, "the result does not fit " + type().to_string() + " exactly");
        column->nulls.set(i, rows);
      }
    }
    return column;
  }

 private:
  std::optional<Int128> compute(Decimal a, Decimal b) const {
    std::optional<Decimal> result;
    switch (op_) {
      case ArithmeticOp::add:
        result = decimal_add(a, b);
        break;
      case ArithmeticOp::subtract:
        result = decimal_subtract(a, b);
        break;
      case ArithmeticOp::multiply:
        result = decimal_multiply(a, b);
        break;
      case ArithmeticOp::divide:
        result = decimal_divide(a, b, type().scale());
        break;
      case ArithmeticOp::modulo:
        result = decimal_modulo(a, b);
        break;
    }
    if (!result) return std::nullopt;
    return to_decimal(*result, type(), Rounding::exact);
  }

  ArithmeticOp op_;
  NodeBox left_, right_;
};

}  // namespace

NodeBox make_decimal_arithmetic_node(ArithmeticOp op, Type type, NodeBox left, NodeBox right) {
  return std::make_unique<DecimalNode>(op, std::move(type), std::move(left), std::move(right));
}

}  // namespace millrace::inline exec
