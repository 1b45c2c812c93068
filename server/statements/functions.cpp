#include <fmt/format.h>

#include "parser/ast/format.h"
#include "planner/bind/macros.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::string_view kFunctionKinds[] = {"SCALAR", "AGGREGATE", "TABLE", "WINDOW"};

std::string pattern_text(const TypePattern& pattern) {
  switch (pattern.kind) {
    case TypePattern::Kind::concrete:
      return pattern.type.to_string();
    case TypePattern::Kind::any_decimal:
      return "DECIMAL";
    case TypePattern::Kind::generic:
      return pattern.variable;
    case TypePattern::Kind::array:
      return fmt::format("ARRAY<{}>", pattern_text(pattern.arguments[0]));
    case TypePattern::Kind::map:
      return fmt::format("MAP<{}, {}>", pattern_text(pattern.arguments[0]), pattern_text(pattern.arguments[1]));
    case TypePattern::Kind::any_struct:
      return "STRUCT";
    case TypePattern::Kind::lambda:
      return "LAMBDA";
    case TypePattern::Kind::interval_unit:
      return "INTERVALUNIT";
    default:
      return "ANY";
  }
}

json::object describe_function(const FunctionDef& function, FunctionKind kind, const ast::Statement& statement) {
  json::array variants;
  for (const FunctionVariant& variant : function.variants) {
    json::array arguments;
    for (std::size_t i = 0; i < variant.parameters.size(); ++i)
      arguments.push_back(json::object{{"name", variant.parameters[i].name},
                                       {"type", pattern_text(variant.parameters[i].type)},
                                       {"description", variant.parameters[i].doc},
                                       {"isVariadic", variant.variadic == static_cast<int>(i)}});
    variants.push_back(json::object{{"arguments", std::move(arguments)},
                                    {"returnType", pattern_text(variant.returns)},
                                    {"description", variant.doc}});
  }
  json::object object = entity("describe_function", statement);
  object["name"] = function.name;
  object["description"] = function.doc;
  object["author"] = function.category == "USER" ? "" : "Millrace";
  object["version"] = "";
  object["path"] = "internal";
  object["type"] = kFunctionKinds[static_cast<std::size_t>(kind)];
  object["functions"] = std::move(variants);
  return object;
}

}  // namespace

Planned plan(const ast::ShowFunctions&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    json::array list;
    const auto add = [&](const FunctionDef& function, FunctionKind kind) {
      list.push_back(json::object{{"name", function.name},
                                  {"type", kFunctionKinds[static_cast<std::size_t>(kind)]},
                                  {"category", function.category}});
    };
    for (const FunctionDef& function : context.functions.all()) add(function, function.kind);
    const Catalog& catalog = context.state->catalog;
    for (const auto& [name, macro] : catalog.macros)
      add(macro->function, macro_kind(*macro, catalog, context.functions));
    json::object object = entity("function_names", statement);
    object["functions"] = std::move(list);
    return object;
  }};
}

Planned plan(const ast::DescribeFunction& describe, const ast::Statement& statement, const StatementContext& context) {
  const std::string& name = describe.name.text;
  if (const FunctionDef* function = context.functions.find(name))
    return Show{
        [function, &statement](const ShowContext&) { return describe_function(*function, function->kind, statement); }};
  const Catalog& catalog = context.state.catalog;
  if (const MacroDef* found = find_macro(catalog, name)) {
    const FunctionKind kind = macro_kind(*found, catalog, context.functions);
    return Show{[macro = catalog.macros.find(name)->second, kind, &statement](const ShowContext&) {
      return describe_function(macro->function, kind, statement);
    }};
  }
  throw SqlError(Code::unknown_function, describe.name.span,
                 fmt::format("Can't find any functions with the name '{}'", name))
      .hint("SHOW FUNCTIONS lists them");
}

Planned plan(const ast::CreateFunction& create, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = create.name.text;
  result.command_id = fmt::format("function/{}/create", name);
  result.statement = ast::format(statement);
  const bool known = has_variant(create, context.state.catalog);
  if (known && !create.or_replace) {
    std::string message = fmt::format("Function {} is there already with these parameters.", name);
    if (!create.if_not_exists)
      throw SqlError(Code::already_exists, create.name.span, message).hint("CREATE OR REPLACE FUNCTION changes it");
    result.warning = std::move(message);
    return result;
  }
  (void)bind_function(create, context.bind());
  const ast::Statement plain{without_aliases(create, context.state.catalog), {}, ""};
  result.changes.push_back({Change::Kind::put_function, name, ast::format(plain), nullptr, nullptr});
  result.message = fmt::format("Function {} {}", name, known ? "replaced" : "created");
  return result;
}

Planned plan(const ast::DropFunction& drop, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = drop.name.text;
  result.command_id = fmt::format("function/{}/drop", name);
  result.statement = ast::format(statement);
  if (drop.if_exists && !find_macro(context.state.catalog, name) && !context.functions.find(name)) {
    result.warning = fmt::format("Function {} does not exist.", name);
    return result;
  }
  check_drop(drop, context.state.catalog, context.functions);
  result.changes.push_back({Change::Kind::drop_function, name, {}, nullptr, nullptr});
  result.message = fmt::format("Function {} dropped", name);
  return result;
}

void need(const ast::CreateFunction& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
}

void need(const ast::DropFunction& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
}

}  // namespace millrace::inline server
