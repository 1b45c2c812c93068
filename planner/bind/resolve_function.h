#pragma once

#include <map>
#include <string>
#include <vector>

#include "parser/error/sql_error.h"
#include "planner/catalog/functions.h"

namespace millrace::inline planner {

/// What is known of an argument before the variation is chosen.
struct CallArgument {
  Type type;                   // the null type for NULL
  int lambda_parameters = -1;  // >= 0: a lambda with so many parameters
  bool interval_unit = false;
};

/// Values of type variables.
using TypeBindings = std::map<std::string, Type>;

struct FunctionMatch {
  std::size_t variant = 0;
  std::vector<std::size_t> parameter;  // per argument: the index of its parameter
  TypeBindings bindings;               // from the arguments that are not lambdas
};

/// Chooses the variation for a call (sql.md). Throws when none or several fit.
FunctionMatch resolve_function(const FunctionDef& function, const std::vector<CallArgument>& arguments, Span span);

/// True when `type` fits `pattern`; binds free type variables. `widen`: implicit casts are allowed.
bool match_type(const TypePattern& pattern, const Type& type, bool widen, TypeBindings& bindings);
/// The type an argument of type `actual` must get to fit. Unbound variables give `actual`'s part.
Type instantiate(const TypePattern& pattern, const TypeBindings& bindings, const Type& actual);

/// `SUBSTRING(STRING str, INTEGER pos)`, for error messages and DESCRIBE FUNCTION.
std::string signature(const FunctionDef& function, const FunctionVariant& variant);
std::string to_string(const TypePattern& pattern);

}  // namespace millrace::inline planner
