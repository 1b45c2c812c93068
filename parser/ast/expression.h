#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parser/ast/compare_op.h"
#include "parser/error/sql_error.h"

/// The syntax tree: immutable plain structs with spans. Nodes are shared, never changed after the
/// builder made them; any thread may read them.
namespace millrace::inline parser::ast {

/// A name as the catalog knows it: unquoted names are upper-cased by the builder, quoted ones keep
/// their case. `quoted` only matters for printing and for hints.
struct Identifier {
  std::string text;
  bool quoted = false;
  Span span;
  friend bool operator==(const Identifier& a, const Identifier& b) { return a.text == b.text; }
};

/// A type as written: a base name or alias with parameters, or a constructed type.
/// DECIMAL(p, s): name DECIMAL, numbers {p, s}. ARRAY<T>: name ARRAY, arguments {T}.
/// MAP<K, V>: arguments {K, V}. STRUCT<f T>: name STRUCT, arguments as `fields`.
struct TypeName {
  Identifier name;
  std::vector<std::int64_t> numbers;
  std::vector<TypeName> arguments;
  std::vector<Identifier> fields;  // names for `arguments` of a STRUCT, same length
  Span span;
};

struct Expression;
using ExprPtr = std::shared_ptr<const Expression>;
struct Query;  // parser/ast/query.h
using QueryPtr = std::shared_ptr<const Query>;

struct NullLiteral {};
struct BooleanLiteral {
  bool value;
};
struct IntegerLiteral {  // fits 32 bits, sign included
  std::int32_t value;
};
struct BigintLiteral {
  std::int64_t value;
};
struct DecimalLiteral {
  std::string text;  // as written, sign included, for example "-04.90"
};
struct DoubleLiteral {
  double value;
  std::string text;
};
struct StringLiteral {
  std::string value;
};
/// DAYS, HOUR, ... where a function takes an interval unit (DATEADD and its family). The builder
/// makes one wherever a bare unit keyword stands alone as a function argument.
struct IntervalUnit {
  std::string unit;  // upper case, as written
};

/// INTERVAL '10' SECONDS
struct Interval {
  std::int64_t count;
  std::string unit;  // upper case, as written
};

struct ColumnRef {
  std::optional<Identifier> qualifier;
  Identifier name;
};
enum class UnaryOp : std::uint8_t { negate, plus, logical_not };
struct Unary {
  UnaryOp op;
  ExprPtr operand;
};
enum class BinaryOp : std::uint8_t { add, subtract, multiply, divide, modulo, concat, logical_and, logical_or };
struct Binary {
  BinaryOp op;
  ExprPtr left, right;
};
struct Comparison {
  CompareOp op;
  ExprPtr left, right;
  bool bang_equal = false;  // written != rather than <>
};
struct Between {
  ExprPtr value, low, high;
  bool negated;
};
struct In {
  ExprPtr value;
  std::vector<ExprPtr> items;
  bool negated;
  QueryPtr query = {};  // IN (SELECT ...): no items then
};
struct Exists {
  QueryPtr query;
};
struct ScalarQuery {  // (SELECT ...) as a value
  QueryPtr query;
};
struct Like {
  ExprPtr value, pattern;
  std::optional<std::string> escape;
  bool negated;
};
struct IsNull {
  ExprPtr value;
  bool negated;
};
struct Case {
  ExprPtr operand;  // null for the searched form
  struct When {
    ExprPtr condition, result;
    Span span;
  };
  std::vector<When> whens;
  ExprPtr otherwise;  // null: no ELSE
};
struct Cast {
  ExprPtr operand;
  TypeName target;
};
/// n units of time as written; `millis` is the length.
struct Duration {
  std::int64_t count = 0;
  std::string unit;  // upper case as written: SECONDS, DAY, ...
  std::int64_t millis = 0;
  Span span;
};
/// `expr [ASC|DESC] [NULLS FIRST|LAST]`
struct SortItem {
  ExprPtr expr;
  bool descending = false;
  std::optional<bool> nulls_first;  // absent: first when descending
  Span span;
};
struct FrameBound {
  enum class Kind : std::uint8_t { unbounded_preceding, preceding, current_row, following, unbounded_following };
  Kind kind = Kind::current_row;
  std::variant<std::int64_t, double, Duration> distance = std::int64_t{0};  // of preceding and following
  Span span;
};
struct Frame {
  bool range = false;  // RANGE rather than ROWS
  FrameBound start, end;
  Span span;
};
/// What stands in the parentheses of OVER or of a named window.
struct Over {
  std::optional<Identifier> base;  // a named window that this one goes on from, or is
  std::vector<ExprPtr> partition;
  std::vector<SortItem> order;
  std::optional<Frame> frame;
  Span span;
};
/// What only calls of aggregates and of functions over windows have.
struct CallModifiers {
  bool distinct = false;
  std::vector<SortItem> order_by;
  std::optional<std::int64_t> limit;
  std::optional<bool> ignore_nulls;  // absent: not said
  ExprPtr filter;                    // null when absent
  std::optional<Over> over;
  Span span;
};
/// A call of any function. `star` for f(*). Lambdas are ordinary arguments.
struct Call {
  Identifier name;
  std::vector<ExprPtr> arguments;
  bool star = false;
  std::shared_ptr<const CallModifiers> modifiers = nullptr;  // null: none

  bool over() const { return modifiers && modifiers->over; }
};
struct Lambda {
  std::vector<Identifier> parameters;
  ExprPtr body;
};
struct FieldAccess {  // base->field
  ExprPtr base;
  Identifier field;
};
struct Subscript {  // base[index]
  ExprPtr base, index;
};
struct ArrayConstructor {
  std::vector<ExprPtr> items;
};
struct MapConstructor {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct StructConstructor {
  std::vector<std::pair<Identifier, ExprPtr>> fields;
};
struct AtTimeZone {
  ExprPtr value, zone;
};

struct Expression {
  std::variant<NullLiteral, BooleanLiteral, IntegerLiteral, BigintLiteral, DecimalLiteral, DoubleLiteral, StringLiteral,
               IntervalUnit, ColumnRef, Unary, Binary, Comparison, Between, In, Like, IsNull, Case, Cast, Call, Lambda,
               FieldAccess, Subscript, ArrayConstructor, MapConstructor, StructConstructor, AtTimeZone, Exists,
               ScalarQuery, Interval>
      node;
  Span span;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
};

}  // namespace millrace::inline parser::ast
