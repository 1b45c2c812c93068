#include "exec/expr/frame.h"

#include <algorithm>
#include <cstring>

#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

ColumnPtr bigint_column(std::span<const std::int64_t> values) {
  auto column = make_column(Type::bigint(), values.size());
  if (!values.empty()) std::memcpy(column->data.data(), values.data(), values.size_bytes());
  return column;
}

ColumnPtr optional_column(const std::shared_ptr<const std::vector<std::int64_t>>& values, std::size_t rows) {
  if (values == nullptr) return make_null_column(Type::bigint(), rows);
  return bigint_column(*values);
}

}  // namespace

Frame::Frame(Frame& parent, Isolated)
    : batch_(parent.batch_),
      parent_(&parent),
      rows_(parent.rows_),
      isolated_(true),
      errors_(parent.errors_),
      values_(parent.values_) {
  if (!parent.any_failed_) return;
  any_failed_ = true;
  failed_.reserve(rows_);
  const auto words = parent.failed_.words();
  std::copy(words.begin(), words.end(), failed_.words().begin());
}

void Frame::fail(std::size_t row, std::string_view message) {
  if (failed_.test(row)) return;
  failed_.set(row, rows_);
  any_failed_ = true;
  if (parent_ == nullptr || isolated_)
    errors_->add(batch_row(row), message);
  else
    parent_->fail(mapping_[row], message);
}

std::uint32_t Frame::batch_row(std::size_t row) const {
  const Frame* frame = this;
  for (; frame->parent_ != nullptr; frame = frame->parent_)
    if (!frame->isolated_) row = frame->mapping_[row];
  return static_cast<std::uint32_t>(row);
}

ColumnPtr Frame::mapped(ColumnPtr of_parent) const {
  if (isolated_) return of_parent;
  return gather(*of_parent, mapping_);
}

const ColumnPtr& Frame::value(std::size_t index) const {
  ensure(values_ != nullptr && index < values_->values.size());
  return values_->values[index];
}

ColumnPtr Frame::column(std::size_t index) const {
  if (parent_ != nullptr) return mapped(parent_->column(index));
  ensure(batch_ != nullptr && index < batch_->columns.size());
  return batch_->columns[index];
}

ColumnPtr Frame::pseudo(PseudoColumn column) const {
  if (parent_ != nullptr) return mapped(parent_->pseudo(column));
  ensure(batch_ != nullptr);
  switch (column) {
    case PseudoColumn::row_time:
      return bigint_column(*batch_->timestamps);
    case PseudoColumn::row_partition:
      return make_constant_column(batch_->partition, Type::integer(), rows_);
    case PseudoColumn::row_offset:
      return optional_column(batch_->offsets, rows_);
    case PseudoColumn::window_start:
      return optional_column(batch_->window_start, rows_);
    case PseudoColumn::window_end:
      return optional_column(batch_->window_end, rows_);
  }
  return nullptr;
}

ColumnPtr Frame::parameter(int id) const {
  for (const Parameter& parameter : parameters_)
    if (parameter.id == id) return parameter.column;
  ensure(parent_ != nullptr);
  return mapped(parent_->parameter(id));
}

}  // namespace millrace::inline exec
