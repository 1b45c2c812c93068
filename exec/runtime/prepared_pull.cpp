#include "exec/runtime/prepared_pull.h"

#include "parser/error/ensure.h"
#include "planner/logical/row_order.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kIdleInstances = 16;

void find_parameters(const Expr& expr, std::vector<Type>& types) {
  if (const auto* parameter = expr.as<ParameterExpr>()) {
    if (types.size() <= parameter->index) types.resize(parameter->index + 1);
    types[parameter->index] = expr.type;
  }
  for_each_child(expr, [&](const ExprPtr& child) { find_parameters(*child, types); });
}

/// Whether what a node gives does not depend on the order of its rows. Of grouped rows the order says nothing.
bool forgets_order(const PlanNode& node) {
  if (const auto* sort = node.as<SortNode>()) return !sort->order.empty();
  const auto* group = node.as<GroupNode>();
  return group != nullptr && in_any_order(*group);
}

}  // namespace

PreparedPull::PreparedPull(std::shared_ptr<const PhysicalPlan> plan, std::optional<std::int64_t> allowed_lag,
                           bool any_order)
    : plan_(std::move(plan)), allowed_lag_(allowed_lag), any_order_(any_order), split_(split_pull(*plan_)) {
  ensure(plan_->subtopologies.size() == 1);
  NodePtr node = plan_->subtopologies.front().root;
  if (const auto* output = node->as<OutputNode>()) limit_ = output->limit;
  for (; !inputs_of(*node).empty(); node = inputs_of(*node).front()) {
    if (node->as<GroupNode>() != nullptr || node->as<SortNode>() != nullptr) {
      once_ = true;
      any_order_ = forgets_order(*node);  // the lowest one decides
    }
    for_each_expression(*node, [&](const ExprPtr& expr) { find_parameters(*expr, computed_with_); });
  }
  keys_ = node->as<KeyLookupNode>();
  scan_ = node->as<StoreScanNode>();
  ensure(keys_ != nullptr || scan_ != nullptr);
}

Result<std::unique_ptr<PullInstance>> PreparedPull::make(const std::shared_ptr<const PhysicalPlan>& keeper) const {
  auto reader = TableReader::make(keeper, &rows());
  if (!reader) return reader.error();
  auto pipeline = RowPipeline::make(plan_);
  if (!pipeline) return pipeline.error();
  auto made = std::make_unique<PullInstance>();
  made->reader = std::move(*reader);
  made->pipeline = std::move(*pipeline);
  return made;
}

Status PreparedPull::split(PullInstance& instance, const std::vector<Value>& values) const {
  const auto step = std::make_shared<const PhysicalPlan>(with_parameters(*split_->below, values));
  auto below = PullStep::make(step);
  if (!below) return below.error();
  auto above = RowPipeline::make(split_->above);
  if (!above) return above.error();
  instance.below = std::move(*below);
  (*above)->values() = std::move(instance.pipeline->values());
  instance.pipeline = std::move(*above);
  return {};
}

Result<std::unique_ptr<PullInstance>> PreparedPull::take(const std::shared_ptr<const PhysicalPlan>& keeper,
                                                         const std::vector<Value>& values) {
  std::unique_ptr<PullInstance> instance;
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      instance = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  // The query may have been replaced since.
  if (instance == nullptr || &instance->reader->keeper() != keeper.get()) {
    auto made = make(keeper);
    if (!made) return made.error();
    instance = std::move(*made);
  }
  instance->limit = RowLimit(limit_);
  auto& columns = instance->pipeline->values().values;
  columns.resize(computed_with_.size());
  for (std::size_t i = 0; i < computed_with_.size(); ++i)
    if (!computed_with_[i].is_null()) columns[i] = make_constant_column(values.at(i), computed_with_[i], 1);
  return instance;
}

void PreparedPull::give_back(std::unique_ptr<PullInstance> instance) {
  if (once_ || instance->below != nullptr) return;
  const MutexLock lock(mutex_);
  if (idle_.size() < kIdleInstances) idle_.push_back(std::move(instance));
}

}  // namespace millrace::inline exec
