#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/column.h"
#include "exec/expr/frame.h"
#include "planner/logical/expr.h"

namespace millrace::inline exec {

/// The values of an argument: a column, or one value for all rows (a column of one row).
struct Operand {
  ColumnPtr column;
  bool constant = false;

  std::size_t row(std::size_t i) const { return constant ? 0 : i; }
  bool is_null(std::size_t i) const { return column->is_null(row(i)); }
  Value value(std::size_t i) const { return get_value(*column, row(i)); }
};

/// A compiled expression. One thread: nodes may keep scratch space.
class Node {
 public:
  explicit Node(Type type) : type_(std::move(type)) {}
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// One value per row of the frame. Rows that fail are reported to the frame; their value is unspecified.
  virtual ColumnPtr evaluate(Frame& frame) = 0;
  /// The value when it is always the same, as a column of one row; else null.
  virtual ColumnPtr constant() const { return nullptr; }
  /// The value when it is the same for all rows of the frame, as a column of one row; else null.
  virtual ColumnPtr of_all_rows(const Frame&) const { return constant(); }
  const Type& type() const { return type_; }

 private:
  Type type_;
};
using NodeBox = std::unique_ptr<Node>;

inline Operand operand(Node& node, Frame& frame) {
  if (ColumnPtr constant = node.of_all_rows(frame)) return {std::move(constant), true};
  return {node.evaluate(frame), false};
}

/// Compiles an expression. Throws SqlError (not_supported) for what cannot run.
NodeBox compile(const Expr& expr);

// One maker per family; each file holds the kernels of one.
NodeBox make_literal_node(ColumnPtr one_row);
NodeBox make_arithmetic_node(ArithmeticOp op, Type type, NodeBox left, NodeBox right);
NodeBox make_decimal_arithmetic_node(ArithmeticOp op, Type type, NodeBox left, NodeBox right);
NodeBox make_concat_node(NodeBox left, NodeBox right);
NodeBox make_negate_node(NodeBox operand);
NodeBox make_compare_node(CompareOp op, NodeBox left, NodeBox right);
NodeBox make_logical_node(bool is_and, NodeBox left, NodeBox right);
NodeBox make_not_node(NodeBox operand);
NodeBox make_is_null_node(NodeBox operand, bool negated);
NodeBox make_in_node(NodeBox value, std::vector<NodeBox> items, bool negated);
NodeBox make_like_node(NodeBox value, NodeBox pattern, char escape, bool negated);
NodeBox make_case_node(Type type, std::vector<std::pair<NodeBox, NodeBox>> whens, NodeBox otherwise);
NodeBox make_cast_node(NodeBox operand, Type to);
NodeBox make_field_node(NodeBox base, std::size_t field);
NodeBox make_subscript_node(NodeBox base, NodeBox index);
NodeBox make_array_node(Type type, std::vector<NodeBox> items);
NodeBox make_map_node(Type type, std::vector<std::pair<NodeBox, NodeBox>> entries);
NodeBox make_struct_node(Type type, std::vector<NodeBox> fields);
NodeBox make_call_node(const Expr& expr, const CallExpr& call);

/// Sets in `to` every bit set in the nulls of an operand, for `rows` rows.
void merge_nulls(const Operand& from, std::size_t rows, Bitmap& to);
/// Fails every row whose bit is set.
void fail_rows(const Bitmap& bits, std::size_t rows, Frame& frame, std::string_view message);
/// The column with every row NULL that is set in `failed`.
ColumnPtr without_failed(ColumnPtr column, const Bitmap& failed);
/// All the values of an operand as a column of `rows` rows.
ColumnPtr spread(const Operand& operand, std::size_t rows);

}  // namespace millrace::inline exec
