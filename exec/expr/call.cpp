#include "exec/expr/scalar_function.h"

namespace millrace::inline exec {

ColumnPtr LambdaBody::apply(Frame& frame, std::span<const std::uint32_t> rows, std::span<const ColumnPtr> arguments) {
  Frame elements(frame, rows);
  for (std::size_t i = 0; i < parameters_.size(); ++i) elements.set_parameter(parameters_[i], arguments[i]);
  return spread(operand(*body_, elements), rows.size());
}

namespace {

/// An error inside a function makes the call NULL, not the expression around it; errors of arguments do fail that.
class CallNode final : public Node {
 public:
  CallNode(Type type, std::unique_ptr<ScalarKernel> kernel, std::vector<NodeBox> arguments,
           std::vector<LambdaBody> lambdas)
      : Node(std::move(type)),
        kernel_(std::move(kernel)),
        arguments_(std::move(arguments)),
        lambdas_(std::move(lambdas)) {}

  ColumnPtr evaluate(Frame& frame) override {
    std::vector<Operand> operands;
    operands.reserve(arguments_.size());
    for (const NodeBox& argument : arguments_) operands.push_back(operand(*argument, frame));
    Frame alone(frame, Frame::Isolated{});
    ColumnPtr column = kernel_->evaluate(alone, operands, lambdas_);
    return alone.any_failed() ? without_failed(std::move(column), alone.failed()) : column;
  }

 private:
  std::unique_ptr<ScalarKernel> kernel_;
  std::vector<NodeBox> arguments_;
  std::vector<LambdaBody> lambdas_;
};

}  // namespace

NodeBox make_call_node(const Expr& expr, const CallExpr& call) {
  const FunctionVariant& variant = call.function->variants[call.variant];
  const auto* scalar = dynamic_cast<const ScalarImplementation*>(variant.implementation.get());
  if (scalar == nullptr)
    throw SqlError(Code::not_supported, expr.span, "the function " + call.function->name + " cannot be called here");
  std::vector<NodeBox> arguments;
  std::vector<LambdaBody> lambdas;
  CallTypes types;
  types.result = expr.type;
  for (const ExprPtr& argument : call.arguments) {
    if (const auto* lambda = argument->as<LambdaExpr>()) {
      lambdas.emplace_back(lambda->parameters, compile(*lambda->body));
      types.arguments.push_back(Type::null());
    } else {
      arguments.push_back(compile(*argument));
      types.arguments.push_back(argument->type);
    }
  }
  return std::make_unique<CallNode>(expr.type, scalar->make(types), std::move(arguments), std::move(lambdas));
}

}  // namespace millrace::inline exec
