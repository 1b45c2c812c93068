#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "exec/expr/evaluator.h"
#include "exec/functions/builtin.h"
#include "planner/bind/resolve_function.h"

namespace millrace::testing_functions {

/// What an expression gives on one row: an error is told from NULL.
struct Outcome {
  Value value;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};
inline void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << (outcome.failed ? "error" : outcome.value.is_null() ? "NULL" : ::testing::PrintToString(outcome.value));
}

inline Outcome evaluate(const ExprPtr& expr) {
  Batch one;
  one.rows = 1;
  RowErrors errors;
  Bitmap failed;
  Evaluator evaluator(expr);
  const ColumnPtr column = evaluator.evaluate(one, errors, failed);
  return {get_value(*column, 0), errors.count != 0};
}

inline Type type_of(const Value& value) {
  if (value.get_if<std::string>() != nullptr) return Type::string();
  if (value.get_if<std::int32_t>() != nullptr) return Type::integer();
  if (value.get_if<std::int64_t>() != nullptr) return Type::bigint();
  if (value.get_if<double>() != nullptr) return Type::double_();
  if (value.get_if<bool>() != nullptr) return Type::boolean();
  return Type::null();
}

inline ExprPtr expression(auto node, Type type) {
  auto expr = std::make_shared<Expr>();
  expr->node = std::move(node);
  expr->type = std::move(type);
  return expr;
}

/// A scalar function on plain values.
inline Outcome call(const char* name, std::vector<Value> arguments) {
  CallExpr made{};
  made.function = builtin_functions().find(name);
  std::vector<CallArgument> known;
  for (Value& argument : arguments) {
    const Type type = type_of(argument);
    known.push_back({.type = type});
    made.arguments.push_back(expression(LiteralExpr{std::move(argument)}, type));
  }
  const auto match = resolve_function(*made.function, known, {});
  made.variant = match.variant;
  const auto& variant = made.function->variants[match.variant];
  return evaluate(expression(std::move(made), instantiate(variant.returns, match.bindings, Type::null())));
}

}  // namespace millrace::testing_functions
