#include <cstring>

#include "exec/expr/kernel_loops.h"

namespace millrace::inline exec {
namespace {

using Flag = std::uint8_t;
constexpr std::string_view kNullCondition = "a condition is NULL";

class LogicalNode final : public Node {
 public:
  LogicalNode(bool is_and, NodeBox left, NodeBox right)
      : Node(Type::boolean()), is_and_(is_and), left_(std::move(left)), right_(std::move(right)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const std::size_t rows = frame.rows();
    const ColumnPtr left = spread(operand(*left_, frame), rows);
    auto column = make_column(type(), rows);
    auto* out = column->values_mut<Flag>();
    fail_rows(left->nulls, rows, frame, kNullCondition);
    // The right side sees only the rows that the left one leaves open.
    std::vector<std::uint32_t> open;
    open.reserve(rows);
    const auto* flags = left->data.as<Flag>();
    const Flag undecided = is_and_ ? 1 : 0;
    for (std::uint32_t i = 0; i < rows; ++i) {
      out[i] = flags[i];
      if (flags[i] == undecided && !frame.failed().test(i)) open.push_back(i);
    }
    if (open.empty()) return column;
    if (open.size() == rows) {
      const ColumnPtr right = spread(operand(*right_, frame), rows);
      fail_rows(right->nulls, rows, frame, kNullCondition);
      return right;
    }
    Frame rest(frame, open);
    const ColumnPtr right = spread(operand(*right_, rest), open.size());
    fail_rows(right->nulls, open.size(), rest, kNullCondition);
    const auto* decided = right->data.as<Flag>();
    for (std::size_t i = 0; i < open.size(); ++i) out[open[i]] = decided[i];
    return column;
  }

 private:
  bool is_and_;
  NodeBox left_, right_;
};

class NotNode final : public Node {
 public:
  explicit NotNode(NodeBox value) : Node(Type::boolean()), value_(std::move(value)) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    auto column = make_column(type(), frame.rows());
    merge_nulls(in, frame.rows(), column->nulls);
    fail_rows(column->nulls, frame.rows(), frame, kNullCondition);
    unary_loop<Flag>(in, frame.rows(), column->values_mut<Flag>(), [](Flag a) { return static_cast<Flag>(a ^ 1); });
    return column;
  }

 private:
  NodeBox value_;
};

class IsNullNode final : public Node {
 public:
  IsNullNode(NodeBox value, bool negated) : Node(Type::boolean()), value_(std::move(value)), negated_(negated) {}
  ColumnPtr evaluate(Frame& frame) override {
    const Operand in = operand(*value_, frame);
    auto column = make_column(type(), frame.rows());
    auto* out = column->values_mut<Flag>();
    for (std::size_t i = 0; i < frame.rows(); ++i) out[i] = in.is_null(i) != negated_ ? 1 : 0;
    return column;
  }

 private:
  NodeBox value_;
  bool negated_;
};

/// Conditions are tried in order on the rows that are still open; each branch is computed on its rows only.
class CaseNode final : public Node {
 public:
  CaseNode(Type type, std::vector<std::pair<NodeBox, NodeBox>> whens, NodeBox otherwise)
      : Node(std::move(type)), whens_(std::move(whens)), otherwise_(std::move(otherwise)) {}

  ColumnPtr evaluate(Frame& frame) override {
    std::vector<ColumnPtr> branches;
    std::vector<Pick> picks(frame.rows());
    std::vector<std::uint32_t> open(frame.rows());
    for (std::uint32_t i = 0; i < open.size(); ++i) open[i] = i;
    for (const auto& [condition, result] : whens_) {
      if (open.empty()) break;
      take(frame, *condition, *result, open, branches, picks);
    }
    if (otherwise_ != nullptr && !open.empty()) branch(frame, *otherwise_, open, branches, picks);
    std::vector<const Column*> sources;
    for (const ColumnPtr& column : branches) sources.push_back(column.get());
    return interleave(type(), sources, picks);
  }

 private:
  static void take(Frame& frame, Node& condition, Node& result, std::vector<std::uint32_t>& open,
                   std::vector<ColumnPtr>& branches, std::vector<Pick>& picks) {
    Frame some(frame, open);
    const ColumnPtr flags = spread(operand(condition, some), open.size());
    fail_rows(flags->nulls, open.size(), some, kNullCondition);
    std::vector<std::uint32_t> taken;
    std::vector<std::uint32_t> left;
    const auto* values = flags->data.as<Flag>();
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (some.failed().test(i)) continue;
      (values[i] != 0 ? taken : left).push_back(open[i]);
    }
    open = std::move(left);
    if (!taken.empty()) branch(frame, result, taken, branches, picks);
  }

  static void branch(Frame& frame, Node& result, const std::vector<std::uint32_t>& rows,
                     std::vector<ColumnPtr>& branches, std::vector<Pick>& picks) {
    if (result.type().is_null()) return;  // NULL: what a pick is to begin with
    Frame some(frame, rows);
    branches.push_back(spread(operand(result, some), rows.size()));
    const auto source = static_cast<std::uint32_t>(branches.size() - 1);
    for (std::uint32_t i = 0; i < rows.size(); ++i) picks[rows[i]] = {source, i};
  }

  std::vector<std::pair<NodeBox, NodeBox>> whens_;
  NodeBox otherwise_;
};

}  // namespace

NodeBox make_logical_node(bool is_and, NodeBox left, NodeBox right) {
  return std::make_unique<LogicalNode>(is_and, std::move(left), std::move(right));
}
NodeBox make_not_node(NodeBox value) {
  return std::make_unique<NotNode>(std::move(value));
}
NodeBox make_is_null_node(NodeBox value, bool negated) {
  return std::make_unique<IsNullNode>(std::move(value), negated);
}
NodeBox make_case_node(Type type, std::vector<std::pair<NodeBox, NodeBox>> whens, NodeBox otherwise) {
  return std::make_unique<CaseNode>(std::move(type), std::move(whens), std::move(otherwise));
}

}  // namespace millrace::inline exec
