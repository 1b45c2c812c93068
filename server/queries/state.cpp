#include "server/queries/state.h"

#include <algorithm>

#include "parser/error/ensure.h"
#include "parser/syntax/parse.h"
#include "planner/bind/macros.h"
#include "planner/bind/views.h"

namespace millrace::inline server {

const QueryInfo* ServiceState::find_query(std::string_view id) const {
  auto it = queries.find(id);
  return it == queries.end() ? nullptr : it->second.get();
}

std::vector<QueryPtr> ServiceState::readers_of(std::string_view source) const {
  std::vector<QueryPtr> found;
  for (const auto& [id, query] : queries)
    if (std::find(query->sources.begin(), query->sources.end(), source) != query->sources.end()) found.push_back(query);
  return found;
}

std::vector<QueryPtr> ServiceState::writers_of(std::string_view source) const {
  std::vector<QueryPtr> found;
  for (const auto& [id, query] : queries)
    if (query->sink == source || std::ranges::find(query->late_sinks, source) != query->late_sinks.end())
      found.push_back(query);
  return found;
}

namespace {

QueryPtr with_pause(const QueryPtr& query, bool paused) {
  auto copy = std::make_shared<QueryInfo>(*query);
  copy->paused = paused;
  return copy;
}

IndexPtr make_index(const std::string& statement) {
  const ast::StatementPtr parsed = parse_statement(statement);
  const auto* create = parsed->as<ast::CreateIndex>();
  ensure(create != nullptr);
  IndexDef index{.name = create->name.text, .table = create->table.text, .columns = {}, .statement = statement};
  for (const ast::SortItem& item : create->items) index.columns.push_back(item.expr->as<ast::ColumnRef>()->name.text);
  return std::make_shared<const IndexDef>(std::move(index));
}

void apply(ServiceState& state, const Change& change) {
  state.catalog.unavailable.erase(change.source ? change.source->name : change.query ? change.query->id : change.name);
  switch (change.kind) {
    case Change::Kind::put_source:
      state.catalog.sources[change.source->name] = change.source;
      break;
    case Change::Kind::drop_source:
      state.catalog.sources.erase(change.name);
      std::erase_if(state.catalog.indexes, [&](const auto& index) { return index.second->table == change.name; });
      break;
    case Change::Kind::put_type:
      state.catalog.types[change.name] = resolve_type(parse_type(change.value), state.catalog);
      break;
    case Change::Kind::drop_type:
      state.catalog.types.erase(change.name);
      break;
    case Change::Kind::put_function:
      state.catalog.macros[change.name] =
          add_macro(*parse_statement(change.value)->as<ast::CreateFunction>(), state.catalog);
      break;
    case Change::Kind::drop_function:
      state.catalog.macros.erase(change.name);
      break;
    case Change::Kind::put_view: {
      const ast::StatementPtr statement = parse_statement(change.value);
      const auto* create = statement->as<ast::CreateView>();
      ensure(create != nullptr);
      state.catalog.views[change.name] = make_view(*create, change.value);
      break;
    }
    case Change::Kind::drop_view:
      state.catalog.views.erase(change.name);
      break;
    case Change::Kind::put_index:
      state.catalog.indexes[change.name] = make_index(change.value);
      break;
    case Change::Kind::drop_index:
      state.catalog.indexes.erase(change.name);
      break;
    case Change::Kind::start_query:
      state.queries[change.query->id] = change.query;
      break;
    case Change::Kind::stop_query:
      state.queries.erase(change.name);
      break;
    case Change::Kind::pause_query:
    case Change::Kind::resume_query:
      if (auto it = state.queries.find(change.name); it != state.queries.end())
        it->second = with_pause(it->second, change.kind == Change::Kind::pause_query);
      break;
    case Change::Kind::set_property:
      state.system_properties[change.name] = change.value;
      break;
  }
}

}  // namespace

void apply(ServiceState& state, const std::vector<Change>& changes) {
  for (const Change& change : changes) apply(state, change);
  ++state.catalog.version;
}

void apply(ServiceState& state, const Command& command) {
  apply(state, command.changes);
  for (const auto& [name, reason] : command.unreadable) {
    // What was known of it is out of date.
    state.catalog.sources.erase(name);
    state.catalog.types.erase(name);
    state.catalog.macros.erase(name);
    state.catalog.views.erase(name);
    state.catalog.indexes.erase(name);
    state.queries.erase(name);
    state.catalog.unavailable[name] = reason;
  }
}

}  // namespace millrace::inline server
