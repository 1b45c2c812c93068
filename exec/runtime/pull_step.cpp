#include "exec/runtime/pull_step.h"

#include <cstring>

#include "exec/functions/builtin.h"
#include "exec/runtime/limited_rows.h"
#include "parser/error/ensure.h"
#include "planner/logical/row_order.h"

namespace millrace::inline exec {
namespace {

Schema as_values(Schema schema) {
  for (ColumnDef& column : schema.columns) column.role = ColumnRole::value;
  return schema;
}

void put(std::int64_t number, std::string& out) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

PullStep::PullStep(std::shared_ptr<const PhysicalPlan> plan)
    : plan_(std::move(plan)), codec_(as_values(plan_->result)) {
  const NodePtr& root = plan_->subtopologies.front().root;
  if (const auto* output = root->as<OutputNode>()) limit_ = RowLimit(output->limit);
  NodePtr node = root;
  for (; !inputs_of(*node).empty(); node = inputs_of(*node).front()) {
    if (const auto* group = node->as<GroupNode>()) any_order_ = in_any_order(*group);
    if (const auto* sort = node->as<SortNode>()) any_order_ = !sort->order.empty();
  }
  scan_ = node->as<StoreScanNode>();
  windowed_ = plan_->window.has_value();
}

Result<std::unique_ptr<PullStep>> PullStep::make(std::shared_ptr<const PhysicalPlan> plan) {
  std::unique_ptr<PullStep> made(new PullStep(std::move(plan)));
  ensure(made->scan_ != nullptr);
  auto pipeline = RowPipeline::make(made->plan_);
  if (!pipeline) return pipeline.error();
  made->pipeline_ = std::move(*pipeline);
  return made;
}

Result<std::unique_ptr<PullStep>> PullStep::read(const std::string& work) {
  try {
    return make(std::make_shared<const PhysicalPlan>(physical_from_json(work, builtin_functions())));
  } catch (const std::exception& error) {
    return unavailable_error("a part of a query cannot be read here: {}", error.what());
  }
}

std::string PullStep::text() const {
  return to_json(*plan_);
}

Result<std::vector<Batch>*> PullStep::apply(const Batch& rows) {
  return limited(pipeline_->apply(rows));
}

Result<std::vector<Batch>*> PullStep::finish() {
  return limited(pipeline_->finish());
}

Result<std::vector<Batch>*> PullStep::limited(Result<std::vector<Batch>*> made) {
  if (!made) return made;
  std::vector<Batch>& batches = **made;
  std::size_t kept = 0;
  for (Batch& batch : batches)
    if (auto part = take_limited(limit_, std::move(batch))) batches[kept++] = std::move(*part);
  batches.resize(kept);
  return made;
}

Status PullStep::encode(const Batch& rows, TableEntries& out) {
  if (Status encoded = codec_.encode(rows, encoded_); !encoded) return encoded;
  for (std::size_t row = 0; row < rows.rows; ++row) {
    std::string times;
    put((*rows.timestamps)[row], times);
    if (windowed_) {
      put((*rows.window_start)[row], times);
      put((*rows.window_end)[row], times);
    }
    out.emplace_back(std::move(times), encoded_.row(row));
  }
  return {};
}

Result<Batch> PullStep::decode(const TableEntries& entries) {
  const std::size_t size = sizeof(std::int64_t) * (windowed_ ? 3 : 1);
  std::vector<std::optional<std::string_view>> rows;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  auto start = std::make_shared<std::vector<std::int64_t>>(), end = std::make_shared<std::vector<std::int64_t>>();
  for (const auto& [times, row] : entries) {
    if (times.size() != size) return external_error("rows of a query that came from another process cannot be read");
    std::int64_t numbers[3] = {};
    std::memcpy(numbers, times.data(), size);
    timestamps->push_back(numbers[0]);
    start->push_back(numbers[1]);
    end->push_back(numbers[2]);
    rows.emplace_back(row);
  }
  auto columns = codec_.decode(rows);
  if (!columns) return columns.error();
  Batch made;
  made.rows = entries.size();
  made.columns = std::move(*columns);
  made.timestamps = std::move(timestamps);
  if (windowed_) {
    made.window_start = std::move(start);
    made.window_end = std::move(end);
  }
  return made;
}

}  // namespace millrace::inline exec
