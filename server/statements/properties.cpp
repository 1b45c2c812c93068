#include <fmt/format.h>

#include "parser/ast/format.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;

Planned plan(const ast::SetProperty& set, const ast::Statement&, const StatementContext& context) {
  check_session_property(set.name, set.value);
  context.config.check_override(set.name);
  return SessionChange{[&set](SessionProperties& session) {
    const std::string plain(plain_property_name(set.name));
    session.overrides[plain] = set.value;
    session.effective[plain] = set.value;
  }};
}

Planned plan(const ast::UnsetProperty& unset, const ast::Statement&, const StatementContext& context) {
  const std::string plain(plain_property_name(unset.name));
  auto below = context.config.find(plain);  // what holds without the session
  if (const auto system = context.state.system_properties.find(plain); system != context.state.system_properties.end())
    below = system->second;
  return SessionChange{[plain, below](SessionProperties& session) {
    session.overrides.erase(plain);
    session.effective.erase(plain);
    if (below) session.effective[plain] = *below;
  }};
}

Planned plan(const ast::AlterSystem& alter, const ast::Statement& statement, const StatementContext&) {
  check_session_property(alter.name, alter.value);
  Mutation result;
  result.statement = ast::format(statement);
  result.command_id = fmt::format("property/{}/alter", alter.name);
  result.changes.push_back(
      {Change::Kind::set_property, std::string(plain_property_name(alter.name)), alter.value, nullptr, nullptr});
  result.message = fmt::format("System property {} was set to {}.", alter.name, alter.value);
  return result;
}

Planned plan(const ast::ShowProperties&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    const SessionProperties& session = context.session;
    json::array list, overwritten, defaults;
    for (const Setting& setting : settings()) {
      auto it = session.effective.find(std::string(setting.name));
      const bool set = it != session.effective.end(),
                 secret = setting.name.ends_with(".password") || setting.name.ends_with(".secret");
      list.push_back(json::object{{"name", setting.name},
                                  {"scope", "KSQL"},
                                  {"value", !set     ? json::value(setting.fallback)
                                            : secret ? json::value("[hidden]")
                                                     : json::value(it->second)},
                                  {"editable", setting.scope == SettingScope::query},
                                  {"level", setting.scope == SettingScope::query ? "QUERY" : "SERVER"}});
      if (!set) defaults.emplace_back(setting.name);
    }
    for (const auto& [name, value] : session.overrides) overwritten.emplace_back(name);
    json::object object = entity("properties", statement);
    object["properties"] = std::move(list);
    object["overwrittenProperties"] = std::move(overwritten);
    object["defaultProperties"] = std::move(defaults);
    return object;
  }};
}

// The parser has replaced the variables of what follows; SHOW VARIABLES still wants to know.
Planned plan(const ast::DefineVariable& define, const ast::Statement&, const StatementContext&) {
  return SessionChange{[&define](SessionProperties& session) { session.variables[define.name.text] = define.value; }};
}

Planned plan(const ast::UndefineVariable& undefine, const ast::Statement& statement, const StatementContext& context) {
  if (!context.session.variables.contains(undefine.name.text))
    return Show{[&](const ShowContext&) {
      json::object object = entity("warning_entity", statement);
      object["message"] = fmt::format("Cannot undefine variable '{}' which was never defined", undefine.name.text);
      return object;
    }};
  return SessionChange{[&undefine](SessionProperties& session) { session.variables.erase(undefine.name.text); }};
}

Planned plan(const ast::ShowVariables&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    json::array list;
    for (const auto& [name, value] : context.session.variables)
      list.push_back(json::object{{"name", name}, {"value", value}});
    json::object object = entity("variables", statement);
    object["variables"] = std::move(list);
    return object;
  }};
}

void need(const ast::AlterSystem&, Needs& needs) {
  needs.add(Privilege::configure);
}

}  // namespace millrace::inline server
