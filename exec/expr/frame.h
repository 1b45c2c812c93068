#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/row_errors.h"

namespace millrace::inline exec {

/// What a plan's parameters stand for while it is run: a column of one row each, of the parameter's type.
struct ParameterRow {
  std::vector<ColumnPtr> values;
};

/// The rows that a part of an expression is evaluated on. The root frame is the batch; below it a frame is a
/// choice of its parent's rows (branches of CASE, right sides of AND and OR), the elements of lists (lambda bodies),
/// or the same rows with failures kept apart (elements of constructors). One thread, lives on the stack.
class Frame {
 public:
  /// `values` may be null where no parameter occurs.
  Frame(const Batch* batch, std::size_t rows, RowErrors& errors, const ParameterRow* values = nullptr)
      : batch_(batch), rows_(rows), errors_(&errors), values_(values) {}
  /// `rows[i]` is the parent's row behind row i. Borrowed.
  Frame(Frame& parent, std::span<const std::uint32_t> rows)
      : batch_(parent.batch_),
        parent_(&parent),
        rows_(rows.size()),
        mapping_(rows),
        errors_(parent.errors_),
        values_(parent.values_) {}

  struct Isolated {};
  /// The parent's rows; failures are noted but do not reach the parent. Rows that failed before count as failed.
  Frame(Frame& parent, Isolated);

  std::size_t rows() const { return rows_; }
  /// The value of a parameter of the plan, as a column of one row.
  const ColumnPtr& value(std::size_t index) const;

  /// The row's value cannot be computed: noted once per row, here and in every frame around, up to an isolated one.
  void fail(std::size_t row, std::string_view message);
  bool any_failed() const { return any_failed_; }
  const Bitmap& failed() const { return failed_; }

  ColumnPtr column(std::size_t index) const;
  ColumnPtr pseudo(PseudoColumn column) const;
  /// Column of a lambda parameter set in this frame or one around it.
  ColumnPtr parameter(int id) const;
  void set_parameter(int id, ColumnPtr column) { parameters_.push_back({id, std::move(column)}); }

 private:
  struct Parameter {
    int id;
    ColumnPtr column;
  };
  std::uint32_t batch_row(std::size_t row) const;
  ColumnPtr mapped(ColumnPtr of_parent) const;

  const Batch* batch_;
  Frame* parent_ = nullptr;
  std::size_t rows_;
  std::span<const std::uint32_t> mapping_;
  bool isolated_ = false;
  bool any_failed_ = false;
  Bitmap failed_;
  RowErrors* errors_;
  const ParameterRow* values_;
  std::vector<Parameter> parameters_;
};

}  // namespace millrace::inline exec
