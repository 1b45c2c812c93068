#include "exec/expr/evaluator.h"

#include "exec/expr/frame.h"
#include "exec/expr/node.h"

namespace millrace::inline exec {

struct Evaluator::Impl {
  NodeBox root;
  const ParameterRow* values;
};

Evaluator::Evaluator(const ExprPtr& expr, const ParameterRow* values) : impl_(std::make_unique<Impl>()) {
  impl_->values = values;
  impl_->root = compile(*expr);
}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;

ColumnPtr Evaluator::evaluate(const Batch& in, RowErrors& errors) {
  Bitmap failed;
  return evaluate(in, errors, failed);
}

ColumnPtr Evaluator::evaluate(const Batch& in, RowErrors& errors, Bitmap& failed) {
  Frame frame(&in, in.rows, errors, impl_->values);
  ColumnPtr result = spread(operand(*impl_->root, frame), in.rows);
  if (!frame.any_failed()) return result;
  result = without_failed(std::move(result), frame.failed());
  failed.reserve(in.rows);
  const auto bits = frame.failed().words();
  for (std::size_t i = 0; i < bits.size(); ++i) failed.words()[i] |= bits[i];
  return result;
}

void Evaluator::select(const Batch& in, RowErrors& errors, std::vector<std::uint32_t>& selected) {
  Frame frame(&in, in.rows, errors, impl_->values);
  const ColumnPtr column = spread(operand(*impl_->root, frame), in.rows);
  selected.resize(in.rows);
  const auto* values = column->data.as<std::uint8_t>();
  std::size_t count = 0;
  if (column->nulls.empty() && !frame.any_failed()) {
    for (std::uint32_t i = 0; i < in.rows; ++i) {
      selected[count] = i;
      count += values[i];
    }
  } else {
    for (std::uint32_t i = 0; i < in.rows; ++i)
      if (values[i] != 0 && !column->is_null(i) && !frame.failed().test(i)) selected[count++] = i;
  }
  selected.resize(count);
}

const Type& Evaluator::type() const {
  return impl_->root->type();
}

Value evaluate_constant(const Expr& expr) {
  const NodeBox node = compile(expr);
  RowErrors errors;
  Frame frame(nullptr, 1, errors);
  const ColumnPtr column = spread(operand(*node, frame), 1);
  if (frame.any_failed()) return {};
  return get_value(*column, 0);
}

}  // namespace millrace::inline exec
