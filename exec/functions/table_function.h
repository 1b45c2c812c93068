#pragma once

#include <memory>
#include <span>

#include "exec/data/column.h"
#include "exec/expr/evaluator.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// A function that gives any number of rows for one: EXPLODE, CUBE_EXPLODE. Immutable, any thread.
class TableFunction {
 public:
  virtual ~TableFunction() = default;
  /// An ARRAY column of `rows` rows: the list that each row turns into. NULL arguments and failed rows (noted in
  /// `errors`) give an empty list, never NULL.
  virtual ColumnPtr apply(std::span<const ColumnPtr> arguments, std::size_t rows, RowErrors& errors) const = 0;
};

/// Precondition: `call.function` is a table function of builtin_functions().
std::unique_ptr<TableFunction> make_table_function(const TableCall& call);

}  // namespace millrace::inline exec
