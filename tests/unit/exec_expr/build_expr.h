#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/data/batch.h"
#include "planner/logical/expr.h"

/// Makes bound expressions and batches for tests.
namespace millrace::test {

template <class N>
ExprPtr expr(Type type, N node) {
  auto made = std::make_shared<Expr>();
  made->type = std::move(type);
  made->node = std::move(node);
  return made;
}
inline ExprPtr literal(Value value, Type type) {
  return expr(std::move(type), LiteralExpr{std::move(value)});
}
inline ExprPtr bigint(std::int64_t value) {
  return literal(value, Type::bigint());
}
inline ExprPtr integer(std::int32_t value) {
  return literal(value, Type::integer());
}
inline ExprPtr text(std::string value) {
  return literal(std::move(value), Type::string());
}
inline ExprPtr column(std::size_t index, Type type) {
  return expr(std::move(type), ColumnExpr{index});
}
inline ExprPtr arithmetic(ArithmeticOp op, ExprPtr left, ExprPtr right) {
  const Type type = left->type;
  return expr(type, ArithmeticExpr{op, std::move(left), std::move(right)});
}
inline ExprPtr comparison(CompareOp op, ExprPtr left, ExprPtr right) {
  return expr(Type::boolean(), CompareExpr{op, std::move(left), std::move(right)});
}
inline ExprPtr logical(bool is_and, ExprPtr left, ExprPtr right) {
  return expr(Type::boolean(), LogicalExpr{is_and, std::move(left), std::move(right)});
}
inline ExprPtr cast(ExprPtr operand, Type to) {
  return expr(std::move(to), CastExpr{std::move(operand)});
}

/// One column per list of values.
inline Batch batch(const std::vector<std::pair<Type, std::vector<Value>>>& columns) {
  Batch made;
  for (const auto& [type, values] : columns) {
    ColumnBuilder builder(type);
    for (const Value& value : values) builder.append(value);
    made.columns.push_back(builder.finish());
    made.rows = values.size();
  }
  made.timestamps = std::make_shared<const std::vector<std::int64_t>>(made.rows, 0);
  return made;
}

}  // namespace millrace::test
