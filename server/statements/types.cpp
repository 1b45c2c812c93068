#include <fmt/format.h>

#include "parser/ast/format.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {

Planned plan(const ast::CreateType& create, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = create.name.text;
  result.command_id = fmt::format("type/{}/create", name);
  result.statement = ast::format(statement);
  const Type type = resolve_type(create.type, context.state.catalog);
  if (auto it = context.state.catalog.types.find(name); it != context.state.catalog.types.end()) {
    std::string message = fmt::format("{} is already registered with type {}", name, it->second.to_string());
    if (!create.if_not_exists) throw general_error(Code::already_exists, message);
    result.warning = std::move(message);
    return result;
  }
  result.changes.push_back({Change::Kind::put_type, name, type.to_string(), nullptr, nullptr});
  result.message = fmt::format("Registered custom type with name '{}' and SQL type {}", name, type.to_string());
  return result;
}

Planned plan(const ast::DropType& drop, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = drop.name.text;
  result.command_id = fmt::format("type/{}/drop", name);
  result.statement = ast::format(statement);
  if (!context.state.catalog.types.contains(name)) {
    std::string message = fmt::format("Type '{}' does not exist", name);
    if (!drop.if_exists) throw SqlError(Code::unknown_type, drop.name.span, message);
    result.warning = std::move(message);
    return result;
  }
  result.changes.push_back({Change::Kind::drop_type, name, {}, nullptr, nullptr});
  result.message = fmt::format("Dropped type '{}'", name);
  return result;
}

Planned plan(const ast::ShowTypes&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    boost::json::object types, object = entity("type_list", statement);
    for (const auto& [name, type] : context.state->catalog.types) types[name] = type_json(type);
    object["types"] = std::move(types);
    return object;
  }};
}

void need(const ast::CreateType& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
}

void need(const ast::DropType& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
}

}  // namespace millrace::inline server
