#include <algorithm>
#include <functional>

#include "exec/data/equal.h"
#include "exec/expr/kernel_loops.h"
#include "planner/types/decimal.h"
#include "planner/types/text_order.h"

namespace millrace::inline exec {
namespace {

using Flag = std::uint8_t;

template <class T, class Fn>
void compare_flat(const Operand& left, const Operand& right, std::size_t rows, Flag* out, Fn fn) {
  binary_loop<T, T>(left, right, rows, out, [fn](T a, T b) { return static_cast<Flag>(fn(a, b)); });
}

template <class T>
void compare_values_of(CompareOp op, const Operand& left, const Operand& right, std::size_t rows, Flag* out) {
  switch (op) {
    case CompareOp::equal:
    case CompareOp::not_distinct_from:
      return compare_flat<T>(left, right, rows, out, std::equal_to<T>());
    case CompareOp::not_equal:
    case CompareOp::distinct_from:
      return compare_flat<T>(left, right, rows, out, std::not_equal_to<T>());
    case CompareOp::less:
      return compare_flat<T>(left, right, rows, out, std::less<T>());
    case CompareOp::less_equal:
      return compare_flat<T>(left, right, rows, out, std::less_equal<T>());
    case CompareOp::greater:
      return compare_flat<T>(left, right, rows, out, std::greater<T>());
    case CompareOp::greater_equal:
      return compare_flat<T>(left, right, rows, out, std::greater_equal<T>());
  }
}

bool holds(CompareOp op, std::weak_ordering order) {
  switch (op) {
    case CompareOp::equal:
    case CompareOp::not_distinct_from:
      return order == 0;
    case CompareOp::not_equal:
    case CompareOp::distinct_from:
      return order != 0;
    case CompareOp::less:
      return order < 0;
    case CompareOp::less_equal:
      return order <= 0;
    case CompareOp::greater:
      return order > 0;
    case CompareOp::greater_equal:
      return order >= 0;
  }
  return false;
}

bool is_equality(CompareOp op) {
  return op == CompareOp::equal || op == CompareOp::not_equal || op == CompareOp::distinct_from ||
         op == CompareOp::not_distinct_from;
}

void compare_texts(CompareOp op, const Operand& left, const Operand& right, std::size_t rows, Flag* out) {
  if (is_equality(op)) return compare_values_of<std::string_view>(op, left, right, rows, out);
  compare_flat<std::string_view>(
      left, right, rows, out, [op](std::string_view a, std::string_view b) { return holds(op, compare_text(a, b)); });
}

void compare_decimals(CompareOp op, const Operand& left, const Operand& right, std::size_t rows, Flag* out) {
  const int left_scale = left.column->type.scale();
  const int right_scale = right.column->type.scale();
  if (left_scale == right_scale) return compare_values_of<Int128>(op, left, right, rows, out);
  compare_flat<Int128>(left, right, rows, out, [op, left_scale, right_scale](Int128 a, Int128 b) {
    return holds(op, decimal_compare({a, left_scale}, {b, right_scale}));
  });
}

void compare_nested(CompareOp op, const Operand& left, const Operand& right, std::size_t rows, Flag* out) {
  const bool wanted = op == CompareOp::equal || op == CompareOp::not_distinct_from;
  for (std::size_t i = 0; i < rows; ++i)
    out[i] = equal_values(*left.column, left.row(i), *right.column, right.row(i)) == wanted ? 1 : 0;
}

void compare_operands(CompareOp op, const Operand& left, const Operand& right, std::size_t rows, Flag* out) {
  switch (left.column->type.kind()) {
    case TypeKind::boolean:
      return compare_values_of<Flag>(op, left, right, rows, out);
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return compare_values_of<std::int32_t>(op, left, right, rows, out);
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return compare_values_of<std::int64_t>(op, left, right, rows, out);
    case TypeKind::double_:
      return compare_values_of<double>(op, left, right, rows, out);
    case TypeKind::decimal:
      return compare_decimals(op, left, right, rows, out);
    case TypeKind::string:
      return compare_texts(op, left, right, rows, out);
    case TypeKind::bytes:
      return compare_values_of<std::string_view>(op, left, right, rows, out);
    default:
      return compare_nested(op, left, right, rows, out);
  }
}

template <class Fn>
void for_each_bit(const Bitmap& bits, std::size_t rows, Fn fn) {
  const auto words = bits.words();
  for (std::size_t w = 0; w < words.size(); ++w)
    for (std::uint64_t rest = words[w]; rest != 0; rest &= rest - 1) {
      const std::size_t row = w * 64 + static_cast<std::size_t>(__builtin_ctzll(rest));
      if (row < rows) fn(row);
    }
}

class CompareNode final : public Node {
 public:
  CompareNode(CompareOp op, NodeBox left, NodeBox right)
      : Node(Type::boolean()), op_(op), left_(std::move(left)), right_(std::move(right)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const Operand left = operand(*left_, frame);
    const Operand right = operand(*right_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    Flag* out = column->values_mut<Flag>();
    if (left.column->type.is_null() || right.column->type.is_null())
      std::fill_n(out, rows, Flag{0});
    else
      compare_operands(op_, left, right, rows, out);
    if (left.column->nulls.empty() && right.column->nulls.empty()) return column;
    Bitmap nulls;
    merge_nulls(left, rows, nulls);
    merge_nulls(right, rows, nulls);
    const bool null_safe = op_ == CompareOp::distinct_from || op_ == CompareOp::not_distinct_from;
    for_each_bit(nulls, rows, [&](std::size_t row) {
      if (null_safe)
        out[row] = (left.is_null(row) == right.is_null(row)) == (op_ == CompareOp::not_distinct_from) ? 1 : 0;
      else
        out[row] = 0;
    });
    return column;
  }

 private:
  CompareOp op_;
  NodeBox left_, right_;
};

/// Many constant whole numbers or texts, sorted, so that a value is found among them without trying each.
class ConstantSet {
 public:
  static constexpr std::size_t kWorthIt = 8;

  /// Leaves the set unused when the items are few, not constant, or of another type.
  void build(const std::vector<NodeBox>& items, TypeKind kind) {
    if (items.size() < kWorthIt) return;
    for (const NodeBox& item : items) {
      const ColumnPtr one = item->constant();
      if (one == nullptr || one->type.kind() != kind) return clear();
      if (one->is_null(0)) continue;  // never matches
      if (kind == TypeKind::integer)
        numbers_.push_back(one->data.as<std::int32_t>()[0]);
      else if (kind == TypeKind::bigint)
        numbers_.push_back(one->data.as<std::int64_t>()[0]);
      else if (kind == TypeKind::string)
        texts_.push_back(one->data.as<std::string_view>()[0]);
      else
        return clear();
    }
    std::sort(numbers_.begin(), numbers_.end());
    std::sort(texts_.begin(), texts_.end());
  }
  bool used() const { return !numbers_.empty() || !texts_.empty(); }

  void find(const Operand& value, std::size_t rows, Flag* out) const {
    const auto number = [this](auto v) {
      return static_cast<Flag>(std::binary_search(numbers_.begin(), numbers_.end(), static_cast<std::int64_t>(v)));
    };
    if (value.column->type.kind() == TypeKind::integer) return unary_loop<std::int32_t>(value, rows, out, number);
    if (value.column->type.kind() == TypeKind::bigint) return unary_loop<std::int64_t>(value, rows, out, number);
    unary_loop<std::string_view>(value, rows, out, [this](std::string_view v) {
      return static_cast<Flag>(std::binary_search(texts_.begin(), texts_.end(), v));
    });
  }

 private:
  void clear() {
    numbers_.clear();
    texts_.clear();
  }
  std::vector<std::int64_t> numbers_;
  std::vector<std::string_view> texts_;  // the constant nodes keep them
};

class InNode final : public Node {
 public:
  InNode(NodeBox value, std::vector<NodeBox> items, bool negated)
      : Node(Type::boolean()), value_(std::move(value)), items_(std::move(items)), negated_(negated) {
    set_.build(items_, value_->type().kind());
  }

  ColumnPtr evaluate(Frame& frame) override {
    const Operand value = operand(*value_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    Flag* out = column->values_mut<Flag>();
    if (set_.used())
      set_.find(value, rows, out);
    else
      try_each(value, frame, out);
    Bitmap nulls;
    merge_nulls(value, rows, nulls);
    for_each_bit(nulls, rows, [out](std::size_t row) { out[row] = 0; });
    if (negated_)
      for (std::size_t i = 0; i < rows; ++i) out[i] ^= 1;
    return column;
  }

 private:
  void try_each(const Operand& value, Frame& frame, Flag* out) {
    const std::size_t rows = frame.rows();
    std::fill_n(out, rows, Flag{0});
    hits_.resize(rows);
    for (const NodeBox& node : items_) {
      const Operand item = operand(*node, frame);
      if (item.column->type.is_null() || value.column->type.is_null()) continue;
      compare_operands(CompareOp::equal, value, item, rows, hits_.data());
      if (!item.column->nulls.empty()) {
        Bitmap nulls;
        merge_nulls(item, rows, nulls);
        for_each_bit(nulls, rows, [this](std::size_t row) { hits_[row] = 0; });
      }
      for (std::size_t i = 0; i < rows; ++i) out[i] |= hits_[i];
    }
  }

  NodeBox value_;
  std::vector<NodeBox> items_;
  bool negated_;
  ConstantSet set_;
  std::vector<Flag> hits_;
};

}  // namespace

NodeBox make_compare_node(CompareOp op, NodeBox left, NodeBox right) {
  return std::make_unique<CompareNode>(op, std::move(left), std::move(right));
}

NodeBox make_in_node(NodeBox value, std::vector<NodeBox> items, bool negated) {
  return std::make_unique<InNode>(std::move(value), std::move(items), negated);
}

}  // namespace millrace::inline exec
