#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

/// Computes the output columns. Rows without a value (null stream values, removals that carry no old row) keep none.
class Project final : public Operator {
 public:
  Project(const ProjectNode& node, const LowerContext& lower)
      : items_(expressions_of(node.items), *inputs_of(lower.node)[0], lower.context.parameters()),
        context_(lower.context),
        emit_before_(lower.emit_before) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    Batch made = share_frame(in);
    RowErrors errors;
    made.columns = items_.evaluate(in, rows_with_value(in, emit_before_), errors);
    if (errors.count != 0) context_.report(errors, in);
    return out.batch(std::move(made));
  }

 private:
  RowEvaluators items_;
  OperatorContext& context_;
  bool emit_before_;
};

}  // namespace

MadeOperator make_project(const ProjectNode& node, const LowerContext& lower) {
  return std::make_unique<Project>(node, lower);
}

}  // namespace millrace::inline exec
