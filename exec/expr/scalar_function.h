#pragma once

#include <memory>
#include <span>
#include <vector>

#include "exec/expr/frame.h"
#include "exec/expr/node.h"
#include "planner/catalog/functions.h"

/// What exec/functions implements and exec/expr calls.
namespace millrace::inline exec {

/// A compiled lambda argument.
class LambdaBody {
 public:
  LambdaBody(std::vector<int> parameters, NodeBox body) : parameters_(std::move(parameters)), body_(std::move(body)) {}
  const Type& type() const { return body_->type(); }
  /// Evaluates the body for many elements at once. `rows[i]`: the row of `frame` that element i belongs to;
  /// `arguments`: one column per parameter, `rows.size()` long. An element that fails fails its row.
  ColumnPtr apply(Frame& frame, std::span<const std::uint32_t> rows, std::span<const ColumnPtr> arguments);

 private:
  std::vector<int> parameters_;
  NodeBox body_;
};

/// One call of a scalar function in one expression. May keep scratch space; one thread.
class ScalarKernel {
 public:
  virtual ~ScalarKernel() = default;
  /// One value per row of the frame. Lambda arguments have no operand but stand in `lambdas`, in order. Rows that fail
  /// are reported to the frame.
  virtual ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody> lambdas) = 0;
};

/// The types of a call after implicit casts. Types of lambda arguments are TypeKind::null.
struct CallTypes {
  std::vector<Type> arguments;
  Type result;
};

struct ScalarImplementation : FunctionImplementation {
  virtual std::unique_ptr<ScalarKernel> make(const CallTypes& types) const = 0;
};

}  // namespace millrace::inline exec
