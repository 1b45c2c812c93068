#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/scope.h"

namespace millrace::inline planner {

/// What CREATE FUNCTION made: for each list of parameter types an expression that stands for a call. Immutable.
struct MacroDef {
  FunctionDef function;  // name, and a variant with parameters and result for each body; its kind is macro_kind's
  struct Body {
    ast::ExprPtr expr;  // parameters are columns of a source with the function's name
    std::string statement;
  };
  std::vector<Body> bodies;  // of the variants
};

/// What CREATE FUNCTION makes of what is there. Throws for names and types that do not fit, for a body that calls
/// itself, and where a function that calls it would no longer fit.
MacroPtr bind_function(const ast::CreateFunction& statement, const BindContext& context);
/// Whether there is one with the same name and types of parameters.
bool has_variant(const ast::CreateFunction& statement, const Catalog& catalog);
/// What bind_function makes of a statement that was bound once: nothing is checked.
MacroPtr add_macro(const ast::CreateFunction& statement, const Catalog& catalog);
/// A statement with the types that it names written out.
ast::CreateFunction without_aliases(const ast::CreateFunction& statement, const Catalog& catalog);
/// Throws for a function that is none of CREATE FUNCTION's, or that others call.
void check_drop(const ast::DropFunction& statement, const Catalog& catalog, const FunctionCatalog& functions);

/// Null: there is no macro of that name.
const MacroDef* find_macro(const Catalog& catalog, std::string_view name);
/// A macro whose body calls an aggregate is an aggregate.
FunctionKind macro_kind(const MacroDef& macro, const Catalog& catalog, const FunctionCatalog& functions);
/// Replaces calls of macros that are aggregates by their bodies; `expr` is qualified, or null. `clause`: for columns
/// that do not exist.
ast::ExprPtr expand_aggregates(const ast::ExprPtr& expr, const Scope& scope, const BindContext& context,
                               const std::string& clause);

/// What the arguments of a macro may become together before it is taken for a mistake.
constexpr std::size_t kMostExpandedNodes = 100'000;

}  // namespace millrace::inline planner
