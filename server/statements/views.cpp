#include "planner/bind/views.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "parser/ast/format.h"
#include "planner/bind/canonical.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {

Planned plan(const ast::CreateView& create, const ast::Statement& statement, const StatementContext& context) {
  check_replace_allowed(create.or_replace, context);
  check_view(create, context.bind());
  Mutation result;
  result.command_id = fmt::format("view/`{}`/create", create.name.text);
  result.statement = canonical_text(statement);
  result.changes.push_back({Change::Kind::put_view, create.name.text, result.statement, nullptr, nullptr});
  result.message = "View created";
  return result;
}

Planned plan(const ast::DropView& drop, const ast::Statement& statement, const StatementContext& context) {
  const Catalog& catalog = context.state.catalog;
  const std::string& name = drop.name.text;
  Mutation result;
  result.command_id = fmt::format("view/{}/drop", name);
  result.statement = ast::format(statement);
  if (!catalog.views.contains(name)) {
    if (const SourceDef* source = catalog.find(name))
      throw SqlError(Code::invalid_statement, drop.name.span, fmt::format("{} is no view.", name))
          .hint(fmt::format("DROP {} drops it", source->kind == RelationKind::stream ? "STREAM" : "TABLE"));
    if (!drop.if_exists)
      throw SqlError(Code::unknown_source, drop.name.span, fmt::format("View {} does not exist.", name));
    result.warning = fmt::format("View `{}` does not exist.", name);
    return result;
  }
  check_no_views(name, context);
  result.changes.push_back({Change::Kind::drop_view, name, {}, nullptr, nullptr});
  result.message = fmt::format("View `{}` was dropped.", name);
  return result;
}

Planned plan(const ast::ShowViews&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    boost::json::array list;
    for (const auto& [name, view] : context.state->catalog.views)
      list.push_back(boost::json::object{
          {"name", name}, {"sources", boost::json::value_from(view->reads)}, {"statement", view->statement}});
    boost::json::object object = entity("views", statement);
    object["views"] = std::move(list);
    return object;
  }};
}

void check_no_views(const std::string& name, const StatementContext& context) {
  std::vector<std::string> readers;
  for (const auto& [view, def] : context.state.catalog.views)
    if (std::ranges::find(def->reads, name) != def->reads.end()) readers.push_back(view);
  if (readers.empty()) return;
  throw general_error(Code::invalid_statement,
                      fmt::format("Cannot drop {0}.\nThe following views read from this source: [{1}].\nYou need to "
                                  "drop them before dropping {0}.",
                                  name, fmt::join(readers, ", ")));
}

void need(const ast::CreateView& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
  needs.add(*create.query);
}

void need(const ast::DropView& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
}

}  // namespace millrace::inline server
