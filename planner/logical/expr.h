#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parser/ast/compare_op.h"
#include "parser/error/sql_error.h"
#include "planner/catalog/functions.h"
#include "planner/types/schema.h"
#include "planner/types/value.h"

/// Bound expressions: names resolved, every node typed, implicit casts explicit. Immutable and shared.
///
/// Semantics that evaluators must keep (sql.md): an expression that fails on a row
/// makes the whole root expression NULL on that row and is reported once; elements of constructors fail
/// alone. Arithmetic with a NULL operand fails. Comparisons with NULL are FALSE. AND, OR and CASE do not
/// evaluate what they need not.
namespace millrace::inline planner {

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

struct LiteralExpr {
  Value value;
};
/// Column `index` of the input schema.
struct ColumnExpr {
  std::size_t index;
};
struct PseudoExpr {
  PseudoColumn column;
};
/// A value that is not known before the plan is run: that of the row of parameters given then.
struct ParameterExpr {
  std::size_t index;
};
/// Parameter of an enclosing lambda; ids are unique within one root expression.
struct LambdaParamExpr {
  int id;
  std::string name;
};
struct LambdaExpr {
  std::vector<int> parameters;
  ExprPtr body;
};
/// Scalar function. `arguments` fit the variation exactly (casts inserted), lambdas included; an
/// interval unit is a STRING literal of its upper-case name.
struct CallExpr {
  const FunctionDef* function;
  std::size_t variant;
  std::vector<ExprPtr> arguments;
};
struct CastExpr {
  ExprPtr operand;  // the target is the node's type
};
enum class ArithmeticOp : std::uint8_t { add, subtract, multiply, divide, modulo };
/// Operands have one numeric type (decimals: any precision), or both are STRING (add = concatenation).
struct ArithmeticExpr {
  ArithmeticOp op;
  ExprPtr left, right;
};
struct NegateExpr {
  ExprPtr operand;
};
using CompareOp = ast::CompareOp;
/// Operands have one type after the binder's casts (decimals: any precision and scale).
struct CompareExpr {
  CompareOp op;
  ExprPtr left, right;
};
struct LogicalExpr {
  bool is_and;
  ExprPtr left, right;
};
struct NotExpr {
  ExprPtr operand;
};
struct IsNullExpr {
  ExprPtr operand;
  bool negated;
};
/// value IN (items): all of one type; NULL never matches.
struct InExpr {
  ExprPtr value;
  std::vector<ExprPtr> items;
  bool negated;
};
struct LikeExpr {
  ExprPtr value, pattern;
  char escape;  // 0: none
  bool negated;
};
struct CaseExpr {
  std::vector<std::pair<ExprPtr, ExprPtr>> whens;
  ExprPtr otherwise;  // null: NULL
};
struct FieldExpr {
  ExprPtr base;
  std::size_t field;
};
struct SubscriptExpr {  // array[index], 1-based, negative from the end; map[key]
  ExprPtr base, index;
};
struct ArrayExpr {
  std::vector<ExprPtr> items;
};
struct MapExpr {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct StructExpr {  // field names are in the type
  std::vector<ExprPtr> fields;
};

struct Expr {
  Type type;
  std::variant<LiteralExpr, ColumnExpr, PseudoExpr, ParameterExpr, LambdaParamExpr, LambdaExpr, CallExpr, CastExpr,
               ArithmeticExpr, NegateExpr, CompareExpr, LogicalExpr, NotExpr, IsNullExpr, InExpr, LikeExpr, CaseExpr,
               FieldExpr, SubscriptExpr, ArrayExpr, MapExpr, StructExpr>
      node;
  Span span;
  /// As error messages and EXPLAIN print it (the source text form of ast::format); may be empty for made-up nodes.
  std::string sql;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
};

ExprPtr make_literal(Value value, Type type);
ExprPtr make_column(std::size_t index, Type type, std::string sql);
/// Structural equality; spans and `sql` do not count.
bool equal(const Expr& a, const Expr& b);
/// Columns of the input that the expression reads are set true in `used` (sized by the caller).
void collect_columns(const Expr& expr, std::vector<bool>& used);
void collect_pseudo_columns(const Expr& expr, std::vector<PseudoColumn>& used);
/// A copy in which column i reads column mapping[i]. Precondition: every used column has a mapping.
ExprPtr remap_columns(const ExprPtr& expr, const std::vector<std::size_t>& mapping);
/// Calls `visit` on every direct child.
void for_each_child(const Expr& expr, const std::function<void(const ExprPtr&)>& visit);
/// The operands of the AND chain at the top.
std::vector<ExprPtr> split_conjunction(const ExprPtr& predicate);
/// Their conjunction. Precondition: not empty.
ExprPtr make_conjunction(const std::vector<ExprPtr>& parts);
/// A copy whose direct children are replaced by `change(child)`.
ExprPtr map_children(const ExprPtr& expr, const std::function<ExprPtr(const ExprPtr&)>& change);
/// True when no column, pseudo column, parameter or non-deterministic function occurs.
bool is_constant(const Expr& expr);
std::string to_string(const Expr& expr);  // `sql` when present, else a rendering of the tree

/// Evaluates a constant expression; NULL on an evaluation error. Given by exec, used for folding, for
/// INSERT VALUES and for the keys of pull queries.
using ConstantEvaluator = std::function<Value(const Expr&)>;

}  // namespace millrace::inline planner
