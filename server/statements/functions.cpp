#include <fmt/format.h>

#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::string_view kFunctionKinds[] = {"SCALAR", "AGGREGATE", "TABLE"};

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

json::object describe_function(const FunctionDef& function, const ast::Statement& statement) {
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
  object["author"] = "Millrace";
  object["version"] = "";
  object["path"] = "internal";
  object["type"] = kFunctionKinds[static_cast<std::size_t>(function.kind)];
  object["functions"] = std::move(variants);
  return object;
}

}  // namespace

Planned plan(const ast::ShowFunctions&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    json::array list;
    for (const FunctionDef& function : context.functions.all())
      list.push_back(json::object{{"name", function.name},
                                  {"type", kFunctionKinds[static_cast<std::size_t>(function.kind)]},
                                  {"category", function.category}});
    json::object object = entity("function_names", statement);
    object["functions"] = std::move(list);
    return object;
  }};
}

Planned plan(const ast::DescribeFunction& describe, const ast::Statement& statement, const StatementContext& context) {
  const FunctionDef* function = context.functions.find(describe.name.text);
  if (function == nullptr)
    throw SqlError(Code::unknown_function, describe.name.span,
                   fmt::format("Can't find any functions with the name '{}'", describe.name.text))
        .hint("SHOW FUNCTIONS lists them");
  return Show{[function, &statement](const ShowContext&) { return describe_function(*function, statement); }};
}

}  // namespace millrace::inline server
