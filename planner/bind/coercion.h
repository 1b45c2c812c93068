#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parser/error/sql_error.h"
#include "planner/logical/expr.h"

namespace millrace::inline planner {

/// A mistake in list coercion or in a cast. Clauses word these differently from other type errors
/// (`Invalid Predicate: …`, `Invalid Select: …`).
struct CoercionError : SqlError {
  using SqlError::SqlError;
};

/// INTEGER < BIGINT < DECIMAL < DOUBLE; DECIMALs widen to the larger integer and fraction parts.
/// Precondition: both are numeric.
Type wider_number(const Type& a, const Type& b);
/// DECIMAL that holds every value of an integer type; DECIMALs stay. Precondition: exact numeric.
Type as_decimal(const Type& type);
/// Function arguments: INTEGER -> BIGINT -> DECIMAL -> DOUBLE, STRING -> time types and BYTES, element-wise in
/// collections.
bool can_widen(const Type& from, const Type& to);
/// Position of a field of a STRUCT, by exact name.
std::optional<std::size_t> field_index(const Type& type, std::string_view name);
/// The CAST matrix of sql.md.
bool can_cast(const Type& from, const Type& to);

/// `expr` as `type`: itself, a typed NULL, or a cast. Never fails: the caller knows that the cast exists.
ExprPtr cast_to(const ExprPtr& expr, const Type& type);

/// One element of a list that is brought to a common type.
struct ListItem {
  ExprPtr expr;
  std::string text;  // as messages show it
};
/// The common type of a list (sql.md); the null type when all are NULL. Throws CoercionError.
Type common_type(const std::vector<ListItem>& items, Span span);
/// An element as the common type. Throws CoercionError for texts that do not parse.
ExprPtr coerce_element(const ExprPtr& expr, const Type& type);

struct Number {
  Type type;
  Value value;
};
/// A text as an exact number: INTEGER or BIGINT when it fits, else DECIMAL. Nullopt when it is none.
std::optional<Number> parse_number(std::string text);
/// A decimal literal: unscaled digits and scale, with its type (sql.md).
std::optional<Number> parse_decimal(const std::string& text);

}  // namespace millrace::inline planner
