#include "exec/expr/node.h"

namespace millrace::inline exec {
namespace {

class LiteralNode final : public Node {
 public:
  explicit LiteralNode(ColumnPtr one_row) : Node(one_row->type), one_row_(std::move(one_row)) {}
  ColumnPtr evaluate(Frame& frame) override { return spread({one_row_, true}, frame.rows()); }
  ColumnPtr constant() const override { return one_row_; }

 private:
  ColumnPtr one_row_;
};

/// A parameter of the plan.
class ValueNode final : public Node {
 public:
  ValueNode(std::size_t index, Type type) : Node(std::move(type)), index_(index) {}
  ColumnPtr evaluate(Frame& frame) override { return spread({frame.value(index_), true}, frame.rows()); }
  ColumnPtr of_all_rows(const Frame& frame) const override { return frame.value(index_); }

 private:
  std::size_t index_;
};

class ColumnNode final : public Node {
 public:
  ColumnNode(std::size_t index, Type type) : Node(std::move(type)), index_(index) {}
  ColumnPtr evaluate(Frame& frame) override { return frame.column(index_); }

 private:
  std::size_t index_;
};

class PseudoNode final : public Node {
 public:
  PseudoNode(PseudoColumn column, Type type) : Node(std::move(type)), column_(column) {}
  ColumnPtr evaluate(Frame& frame) override { return frame.pseudo(column_); }

 private:
  PseudoColumn column_;
};

class ParameterNode final : public Node {
 public:
  ParameterNode(int id, Type type) : Node(std::move(type)), id_(id) {}
  ColumnPtr evaluate(Frame& frame) override { return frame.parameter(id_); }

 private:
  int id_;
};

std::vector<NodeBox> compile_all(const std::vector<ExprPtr>& exprs) {
  std::vector<NodeBox> nodes;
  nodes.reserve(exprs.size());
  for (const ExprPtr& expr : exprs) nodes.push_back(compile(*expr));
  return nodes;
}

std::vector<std::pair<NodeBox, NodeBox>> compile_pairs(const std::vector<std::pair<ExprPtr, ExprPtr>>& exprs) {
  std::vector<std::pair<NodeBox, NodeBox>> nodes;
  nodes.reserve(exprs.size());
  for (const auto& [first, second] : exprs) {
    NodeBox compiled = compile(*first);
    nodes.emplace_back(std::move(compiled), compile(*second));
  }
  return nodes;
}

/// One overload per kind of bound expression: a kind that nobody lowers does not compile.
struct Lower {
  const Expr& expr;

  NodeBox operator()(const LiteralExpr& e) const {
    return make_literal_node(make_constant_column(e.value, expr.type, 1));
  }
  NodeBox operator()(const ColumnExpr& e) const { return std::make_unique<ColumnNode>(e.index, expr.type); }
  NodeBox operator()(const PseudoExpr& e) const { return std::make_unique<PseudoNode>(e.column, expr.type); }
  NodeBox operator()(const ParameterExpr& e) const { return std::make_unique<ValueNode>(e.index, expr.type); }
  NodeBox operator()(const LambdaParamExpr& e) const { return std::make_unique<ParameterNode>(e.id, expr.type); }
  NodeBox operator()(const LambdaExpr&) const {
    throw SqlError(Code::not_supported, expr.span, "a lambda can only be an argument of a function");
  }
  NodeBox operator()(const CallExpr& e) const { return make_call_node(expr, e); }
  NodeBox operator()(const CastExpr& e) const { return make_cast_node(compile(*e.operand), expr.type); }
  NodeBox operator()(const ArithmeticExpr& e) const {
    NodeBox left = compile(*e.left);
    NodeBox right = compile(*e.right);
    if (expr.type.kind() == TypeKind::string) return make_concat_node(std::move(left), std::move(right));
    if (expr.type.kind() == TypeKind::decimal)
      return make_decimal_arithmetic_node(e.op, expr.type, std::move(left), std::move(right));
    return make_arithmetic_node(e.op, expr.type, std::move(left), std::move(right));
  }
  NodeBox operator()(const NegateExpr& e) const { return make_negate_node(compile(*e.operand)); }
  NodeBox operator()(const CompareExpr& e) const {
    NodeBox left = compile(*e.left);
    return make_compare_node(e.op, std::move(left), compile(*e.right));
  }
  NodeBox operator()(const LogicalExpr& e) const {
    NodeBox left = compile(*e.left);
    return make_logical_node(e.is_and, std::move(left), compile(*e.right));
  }
  NodeBox operator()(const NotExpr& e) const { return make_not_node(compile(*e.operand)); }
  NodeBox operator()(const IsNullExpr& e) const { return make_is_null_node(compile(*e.operand), e.negated); }
  NodeBox operator()(const InExpr& e) const {
    NodeBox value = compile(*e.value);
    return make_in_node(std::move(value), compile_all(e.items), e.negated);
  }
  NodeBox operator()(const LikeExpr& e) const {
    NodeBox value = compile(*e.value);
    return make_like_node(std::move(value), compile(*e.pattern), e.escape, e.negated);
  }
  NodeBox operator()(const CaseExpr& e) const {
    auto whens = compile_pairs(e.whens);
    return make_case_node(expr.type, std::move(whens), e.otherwise == nullptr ? nullptr : compile(*e.otherwise));
  }
  NodeBox operator()(const FieldExpr& e) const { return make_field_node(compile(*e.base), e.field); }
  NodeBox operator()(const SubscriptExpr& e) const {
    NodeBox base = compile(*e.base);
    return make_subscript_node(std::move(base), compile(*e.index));
  }
  NodeBox operator()(const ArrayExpr& e) const { return make_array_node(expr.type, compile_all(e.items)); }
  NodeBox operator()(const MapExpr& e) const { return make_map_node(expr.type, compile_pairs(e.entries)); }
  NodeBox operator()(const StructExpr& e) const { return make_struct_node(expr.type, compile_all(e.fields)); }
};

/// No column, parameter or non-deterministic function below.
bool is_fixed(const Expr& expr) {
  if (expr.as<ColumnExpr>() != nullptr || expr.as<PseudoExpr>() != nullptr || expr.as<ParameterExpr>() != nullptr ||
      expr.as<LambdaParamExpr>() != nullptr)
    return false;
  if (const auto* call = expr.as<CallExpr>(); call != nullptr && !call->function->variants[call->variant].deterministic)
    return false;
  bool fixed = true;
  for_each_child(expr, [&fixed](const ExprPtr& child) { fixed = fixed && is_fixed(*child); });
  return fixed;
}

bool covers(const Bitmap& nulls, const Bitmap& failed) {
  const auto have = nulls.words();
  const auto want = failed.words();
  for (std::size_t i = 0; i < want.size(); ++i)
    if (want[i] != 0 && (i >= have.size() || (want[i] & ~have[i]) != 0)) return false;
  return true;
}

}  // namespace

NodeBox make_literal_node(ColumnPtr one_row) {
  return std::make_unique<LiteralNode>(std::move(one_row));
}

NodeBox compile(const Expr& expr) {
  NodeBox node = std::visit(Lower{expr}, expr.node);
  if (expr.as<LiteralExpr>() != nullptr || !is_fixed(expr)) return node;
  // Computed once, unless it fails: then every row has to report that.
  RowErrors errors;
  Frame frame(nullptr, 1, errors);
  const ColumnPtr value = node->evaluate(frame);
  return errors.count == 0 ? make_literal_node(value) : std::move(node);
}

void merge_nulls(const Operand& from, std::size_t rows, Bitmap& to) {
  const Bitmap& nulls = from.column->nulls;
  if (nulls.empty()) return;
  if (from.constant) {
    if (!nulls.test(0)) return;
    to.reserve(rows);
    for (std::uint64_t& word : to.words()) word = ~std::uint64_t{0};
    return;
  }
  const auto bits = nulls.words();
  to.reserve(rows);
  const auto words = to.words();
  for (std::size_t i = 0; i < words.size() && i < bits.size(); ++i) words[i] |= bits[i];
}

void fail_rows(const Bitmap& bits, std::size_t rows, Frame& frame, std::string_view message) {
  const auto words = bits.words();
  for (std::size_t w = 0; w < words.size(); ++w)
    for (std::uint64_t rest = words[w]; rest != 0; rest &= rest - 1) {
      const std::size_t row = w * 64 + static_cast<std::size_t>(__builtin_ctzll(rest));
      if (row < rows) frame.fail(row, message);
    }
}

ColumnPtr without_failed(ColumnPtr column, const Bitmap& failed) {
  if (covers(column->nulls, failed)) return column;
  std::vector<Pick> picks(column->size);
  for (std::uint32_t i = 0; i < picks.size(); ++i)
    if (!failed.test(i)) picks[i] = {0, i};
  const Column* const source = column.get();
  return interleave(column->type, {&source, 1}, picks);
}

ColumnPtr spread(const Operand& operand, std::size_t rows) {
  if (!operand.constant || operand.column->size == rows) return operand.column;
  if (operand.column->is_null(0)) return make_null_column(operand.column->type, rows);
  if (operand.column->type.is_nested()) return gather(*operand.column, std::vector<std::uint32_t>(rows, 0));
  auto column = make_constant_column(get_value(*operand.column, 0), operand.column->type, rows);
  return column;
}

}  // namespace millrace::inline exec
