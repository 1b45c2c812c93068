#include "planner/bind/macros.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/resolve_function.h"

namespace millrace::inline planner {
namespace {

/// The parameters as columns of a source that is named like the function.
Scope parameter_scope(const std::string& function, const std::vector<ParameterDef>& parameters,
                      const FunctionCatalog* functions) {
  Scope scope;
  scope.functions = functions;
  ScopeSource source{.alias = function, .columns = {}, .pseudo_positions = {}};
  for (std::size_t i = 0; i < parameters.size(); ++i)
    source.columns.push_back({parameters[i].name, parameters[i].type.type, ColumnRole::value, i});
  scope.sources.push_back(std::move(source));
  return scope;
}

TypePattern concrete(const ast::TypeName& type, const Catalog& catalog) {
  return {.kind = TypePattern::Kind::concrete, .type = resolve_type(type, catalog)};
}

FunctionVariant variant_of(const ast::CreateFunction& statement, const Catalog& catalog) {
  FunctionVariant variant;
  for (const auto& parameter : statement.parameters)
    variant.parameters.push_back({parameter.name.text, concrete(parameter.type, catalog), ""});
  variant.returns = concrete(statement.returns, catalog);
  variant.doc = ast::format(*statement.body);
  return variant;
}

/// The variant that takes the same types; the end when there is none.
std::size_t find_variant(const MacroDef& macro, const std::vector<ParameterDef>& parameters) {
  const auto& variants = macro.function.variants;
  const auto type = [](const ParameterDef& p) { return p.type.type; };
  const auto found = std::ranges::find_if(
      variants, [&](const FunctionVariant& v) { return std::ranges::equal(v.parameters, parameters, {}, type, type); });
  return static_cast<std::size_t>(found - variants.begin());
}

/// The type of an expression over rows, aggregates of them included.
Type type_over(const ast::ExprPtr& expr, const Scope& scope, const BindContext& context) {
  ExprBinder binder(context, scope);
  binder.intercept = [&](const ast::ExprPtr& node) -> ExprPtr {
    const auto* call = node->as<ast::Call>();
    const FunctionDef* function = call && !call->over() ? context.functions.find(call->name.text) : nullptr;
    if (!function || function->kind != FunctionKind::aggregate) return nullptr;
    if (call->star) return make_literal(Value(), Type::bigint());
    ExprBinder inner(context, scope);
    return make_literal(Value(), inner.bind_call(*call, node->span).type);
  };
  return bind_item(binder, expr, scope)->type;
}

ast::ExprPtr resolve_casts(const ast::ExprPtr& expr, const Catalog& catalog) {
  ast::ExprPtr made = map_children(expr, [&](const ast::ExprPtr& child) { return resolve_casts(child, catalog); });
  const auto* cast = made->as<ast::Cast>();
  if (!cast) return made;
  return make_ast(ast::Cast{cast->operand, parse_type(resolve_type(cast->target, catalog).to_string())}, made->span);
}

void check_names(const ast::CreateFunction& statement, const BindContext& context) {
  const std::string& name = statement.name.text;
  if (context.functions.find(name))
    throw SqlError(Code::already_exists, statement.name.span, fmt::format("Function {} is built in.", name));
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    const auto& parameter = statement.parameters[i];
    const auto same = [&](const ast::FunctionParameter& other) { return other.name == parameter.name; };
    if (std::ranges::count_if(statement.parameters, same) > 1)
      throw SqlError(Code::invalid_statement, parameter.name.span,
                     fmt::format("Function {} has two parameters {}.", name, parameter.name.text));
  }
}

/// What a body may not hold.
void check_body(const ast::CreateFunction& statement) {
  contains(statement.body, [&](const ast::Expression& node) {
    const auto* in = node.as<ast::In>();
    if ((in && in->query) || node.as<ast::Exists>())
      throw SqlError(Code::not_supported, node.span, "The body of a function has no subqueries.");
    if (const auto* call = node.as<ast::Call>(); call && call->over())
      throw SqlError(Code::not_supported, node.span, "The body of a function has no OVER.");
    return false;
  });
}

/// Every name is a parameter's: ROWTIME and the like are nothing that a call gives.
void check_parameters_only(const ast::ExprPtr& qualified, const Scope& scope) {
  check_resolved(qualified, scope, "CREATE FUNCTION");
  contains(qualified, [&](const ast::Expression& node) {
    const auto* column = node.as<ast::ColumnRef>();
    if (column && column->qualifier && !scope.sources[0].find(column->name.text))
      throw SqlError(Code::unknown_column, node.span,
                     fmt::format("{} is no parameter of the function: its body knows nothing else.", column->name.text))
          .hint("give it to the function as an argument");
    return false;
  });
}

bool calls(const ast::ExprPtr& expr, std::string_view name) {
  return contains(expr, [&](const ast::Expression& node) {
    const auto* call = node.as<ast::Call>();
    return call && call->name.text == name;
  });
}

/// Whether a body leads back to the function.
void check_recursion(const std::string& name, const ast::ExprPtr& body, const Catalog& catalog, Span span) {
  std::vector<std::string> open{name}, seen;
  while (!open.empty()) {
    const std::string at = std::move(open.back());
    open.pop_back();
    std::vector<ast::ExprPtr> bodies;
    if (at == name) bodies.push_back(body);
    if (const MacroDef* macro = find_macro(catalog, at))
      for (const auto& other : macro->bodies) bodies.push_back(other.expr);
    for (const auto& expr : bodies) {
      if (calls(expr, name))
        throw SqlError(Code::invalid_statement, span,
                       at == name ? fmt::format("Function {} calls itself.", name)
                                  : fmt::format("Function {} calls itself by way of {}.", name, at))
            .hint("a function is replaced by its expression, which has to end");
      for (const auto& [other, macro] : catalog.macros)
        if (std::ranges::find(seen, other) == seen.end() && calls(expr, other)) {
          seen.push_back(other);
          open.push_back(other);
        }
    }
  }
}

std::size_t count_nodes(const ast::ExprPtr& expr, std::size_t most) {
  std::size_t count = 0;
  contains(expr, [&](const ast::Expression&) { return ++count > most; });
  return count;
}

/// Binds calls of macros that are aggregates by what they stand for.
class Expansion {
 public:
  Expansion(const Scope& scope, const BindContext& context, const std::string& clause)
      : scope_(scope), context_(context), clause_(clause) {}

  ast::ExprPtr expand(const ast::ExprPtr& expr) {
    ast::ExprPtr made = map_children(expr, [this](const ast::ExprPtr& child) { return expand(child); });
    const auto* call = made->as<ast::Call>();
    const MacroDef* macro = call && !call->over() ? find_macro(context_.catalog, call->name.text) : nullptr;
    if (!macro || macro_kind(*macro, context_.catalog, context_.functions) != FunctionKind::aggregate) return made;
    return replace(*macro, *call, made->span);
  }

 private:
  ast::ExprPtr replace(const MacroDef& macro, const ast::Call& call, Span span) {
    if (call.modifiers)
      throw SqlError(Code::not_supported, call.modifiers->span,
                     fmt::format("A call of {} takes arguments only.", macro.function.name))
          .hint("DISTINCT, FILTER and ORDER BY belong to the aggregates in the function's body");
    std::vector<CallArgument> known;
    for (const auto& argument : call.arguments) {
      check_resolved(argument, scope_, clause_);
      known.push_back({.type = type_of(argument)});
    }
    const FunctionMatch match = resolve_function(macro.function, known, span);
    const FunctionVariant& variant = macro.function.variants[match.variant];
    std::vector<ast::ExprPtr> arguments;
    for (std::size_t i = 0; i < call.arguments.size(); ++i)
      arguments.push_back(cast(call.arguments[i], known[i].type, variant.parameters[i].type.type));
    // Bodies may call further ones.
    ast::ExprPtr body = expand(substitute(macro.bodies[match.variant].expr, macro, variant, arguments));
    if (count_nodes(body, kMostExpandedNodes) > kMostExpandedNodes)
      throw SqlError(Code::invalid_statement, span, fmt::format("The call of {} is too large.", macro.function.name));
    return cast(body, type_of(body), variant.returns.type);
  }

  static ast::ExprPtr cast(const ast::ExprPtr& expr, const Type& from, const Type& to) {
    if (from == to) return expr;
    return make_ast(ast::Cast{expr, parse_type(to.to_string())}, expr->span);
  }

  ast::ExprPtr substitute(const ast::ExprPtr& expr, const MacroDef& macro, const FunctionVariant& variant,
                          const std::vector<ast::ExprPtr>& arguments) {
    const auto* column = expr->as<ast::ColumnRef>();
    if (column && column->qualifier && column->qualifier->text == macro.function.name) {
      const auto found = std::ranges::find(variant.parameters, column->name.text, &ParameterDef::name);
      return arguments[static_cast<std::size_t>(found - variant.parameters.begin())];
    }
    return map_children(expr, [&](const ast::ExprPtr& child) { return substitute(child, macro, variant, arguments); });
  }

  Type type_of(const ast::ExprPtr& expr) const { return type_over(expr, scope_, context_); }

  const Scope& scope_;
  const BindContext& context_;
  const std::string& clause_;
};

/// The body fits its parameters and its result.
void check_types(const MacroDef& macro, std::size_t variant, const BindContext& context, Span span) {
  const FunctionVariant& made = macro.function.variants[variant];
  const Scope scope = parameter_scope(macro.function.name, made.parameters, &context.functions);
  const ast::ExprPtr body = expand_aggregates(macro.bodies[variant].expr, scope, context, "CREATE FUNCTION");
  const Type type = type_over(body, scope, context);
  if (type.is_null() || type == made.returns.type || can_widen(type, made.returns.type)) return;
  throw SqlError(Code::type_mismatch, span,
                 fmt::format("Function {} returns {}, but its expression gives {}.", macro.function.name,
                             made.returns.type.to_string(), type.to_string()))
      .hint("CAST makes one of the other");
}

}  // namespace

const MacroDef* find_macro(const Catalog& catalog, std::string_view name) {
  const auto found = catalog.macros.find(name);
  return found == catalog.macros.end() ? nullptr : found->second.get();
}

FunctionKind macro_kind(const MacroDef& macro, const Catalog& catalog, const FunctionCatalog& functions) {
  for (const auto& body : macro.bodies) {
    const bool aggregate = contains(body.expr, [&](const ast::Expression& node) {
      const auto* call = node.as<ast::Call>();
      if (!call) return false;
      if (const FunctionDef* function = functions.find(call->name.text))
        return function->kind == FunctionKind::aggregate;
      const MacroDef* inner = find_macro(catalog, call->name.text);
      return inner && inner != &macro && macro_kind(*inner, catalog, functions) == FunctionKind::aggregate;
    });
    if (aggregate) return FunctionKind::aggregate;
  }
  return FunctionKind::scalar;
}

void check_drop(const ast::DropFunction& statement, const Catalog& catalog, const FunctionCatalog& functions) {
  const std::string& name = statement.name.text;
  if (functions.find(name))
    throw SqlError(Code::invalid_statement, statement.name.span, fmt::format("Function {} is built in.", name));
  if (!find_macro(catalog, name))
    throw SqlError(Code::unknown_function, statement.name.span, fmt::format("Function {} does not exist.", name));
  std::vector<std::string> callers;
  for (const auto& [other, macro] : catalog.macros)
    if (std::ranges::any_of(macro->bodies, [&](const auto& body) { return calls(body.expr, name); }))
      callers.push_back(other);
  if (callers.empty()) return;
  throw SqlError(Code::invalid_statement, statement.name.span,
                 fmt::format("Cannot drop function {}: it is called by [{}].", name, fmt::join(callers, ", ")));
}

ast::ExprPtr expand_aggregates(const ast::ExprPtr& expr, const Scope& scope, const BindContext& context,
                               const std::string& clause) {
  if (!expr || context.catalog.macros.empty()) return expr;
  return Expansion(scope, context, clause).expand(expr);
}

ast::CreateFunction without_aliases(const ast::CreateFunction& statement, const Catalog& catalog) {
  ast::CreateFunction made = statement;
  const auto resolved = [&](const ast::TypeName& type) { return parse_type(resolve_type(type, catalog).to_string()); };
  for (auto& parameter : made.parameters) parameter.type = resolved(parameter.type);
  made.returns = resolved(statement.returns);
  made.body = resolve_casts(statement.body, catalog);
  return made;
}

MacroPtr add_macro(const ast::CreateFunction& statement, const Catalog& catalog) {
  const std::string& name = statement.name.text;
  const MacroDef* known = find_macro(catalog, name);
  auto made = known ? std::make_shared<MacroDef>(*known) : std::make_shared<MacroDef>();
  FunctionDef& function = made->function;
  function.name = function.display_name = name;
  function.category = "USER";
  FunctionVariant variant = variant_of(statement, catalog);
  const Scope scope = parameter_scope(name, variant.parameters, nullptr);
  MacroDef::Body body{qualify(statement.body, scope), ast::format(ast::Statement{statement, {}, ""})};
  const std::size_t at = find_variant(*made, variant.parameters);
  if (at == made->bodies.size()) {
    function.variants.push_back(std::move(variant));
    made->bodies.push_back(std::move(body));
  } else {
    function.variants[at] = std::move(variant);
    made->bodies[at] = std::move(body);
  }
  function.doc = function.variants.front().doc;
  return made;
}

bool has_variant(const ast::CreateFunction& statement, const Catalog& catalog) {
  const MacroDef* known = find_macro(catalog, statement.name.text);
  return known && find_variant(*known, variant_of(statement, catalog).parameters) < known->bodies.size();
}

MacroPtr bind_function(const ast::CreateFunction& statement, const BindContext& context) {
  const std::string& name = statement.name.text;
  check_names(statement, context);
  check_body(statement);
  const FunctionVariant variant = variant_of(statement, context.catalog);
  const Scope scope = parameter_scope(name, variant.parameters, &context.functions);
  const ast::ExprPtr body = qualify(statement.body, scope);
  check_parameters_only(body, scope);
  check_recursion(name, body, context.catalog, statement.name.span);
  MacroPtr made = add_macro(statement, context.catalog);
  Catalog catalog = context.catalog;
  catalog.macros[name] = made;
  const BindContext then{catalog,          context.functions, context.topics, context.properties,
                         context.evaluate, context.schemas};
  check_types(*made, find_variant(*made, variant.parameters), then, statement.body->span);
  for (const auto& [other_name, other] : catalog.macros) {
    if (other == made) continue;
    try {
      for (std::size_t i = 0; i < other->bodies.size(); ++i) check_types(*other, i, then, statement.name.span);
    } catch (const SqlError& error) {
      throw SqlError(Code::invalid_statement, statement.name.span,
                     fmt::format("Function {} could not be called any more: {}", other_name, error.what()));
    }
  }
  return made;
}

}  // namespace millrace::inline planner
