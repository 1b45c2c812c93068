#include <fmt/format.h>

#include <algorithm>

#include "exec/formats/schema_registrar.h"
#include "planner/bind/canonical.h"
#include "planner/bind/macros.h"
#include "server/queries/topics.h"
#include "server/session/service_impl.h"

/// Headless servers: the statements of a file, and no others.
namespace millrace::inline server {
namespace {

SqlError refused(const ast::Statement& statement, const std::string& why) {
  SqlError error(Code::invalid_statement, statement.span, why);
  error.set_statement(statement.text);
  return error;
}

/// The text under which the source is known; empty: there is none.
std::string known_text(const ServiceState& state, const std::string& name) {
  const SourceDef* source = state.catalog.find(name);
  return source == nullptr ? std::string() : source->statement;
}

/// The state without a source and the query that made it.
ServiceState without(const ServiceState& state, const std::string& name) {
  ServiceState reduced = state;
  if (const SourceDef* source = state.catalog.find(name)) reduced.queries.erase(source->created_by);
  reduced.catalog.sources.erase(name);
  return reduced;
}

}  // namespace

bool ServiceImpl::runs_already(const ast::Statement& statement, const SessionProperties& session) {
  const auto text_against = [&](const ServiceState& state) {
    LogTopics topics(log_);
    SchemaRegistrar schemas(*registry_, SchemaRegistrar::Mode::trial);
    const Planned planned = plan_statement(statement, {state, functions_, topics, session, config(), &schemas});
    return std::get<Mutation>(planned).statement;
  };
  const StatePtr now = state();
  if (statement.as<ast::InsertSelect>()) {
    std::string text;
    try {
      text = text_against(*now);
    } catch (const SqlError&) {
      return false;  // of something that a statement before makes
    }
    return std::ranges::any_of(now->queries, [&](const auto& query) {
      return query.second->origin == QueryOrigin::insert_into && query.second->statement == text;
    });
  }
  const auto* source = statement.as<ast::CreateSource>();
  const auto* query = statement.as<ast::CreateAs>();
  const bool replaces = source != nullptr ? source->or_replace : query->or_replace;
  const std::string& name = source != nullptr ? source->name.text : query->name.text;
  const std::string known = known_text(*now, name);
  if (known.empty()) return false;
  if (text_against(without(*now, name)) == known) return true;
  if (replaces) return false;
  throw refused(statement, fmt::format("{} differs from what runs: CREATE OR REPLACE replaces it", name));
}

std::optional<ServiceError> ServiceImpl::run_queries(const std::string& text) {
  std::string wanted;
  try {
    auto session = session_properties({.sql = text});
    for (const ast::StatementPtr& statement : parse_request({.sql = text}, session)) {
      const bool makes =
          statement->as<ast::CreateSource>() || statement->as<ast::CreateAs>() || statement->as<ast::InsertSelect>();
      const bool sets = statement->as<ast::SetProperty>() || statement->as<ast::UnsetProperty>() ||
                        statement->as<ast::DefineVariable>() || statement->as<ast::UndefineVariable>();
      if (statement->as<ast::CreateType>()) {
        const auto* type = statement->as<ast::CreateType>();
        if (state()->catalog.types.contains(type->name.text)) continue;
      } else if (const auto* function = statement->as<ast::CreateFunction>()) {
        if (!function->or_replace && has_variant(*function, state()->catalog)) continue;
      } else if (const auto* view = statement->as<ast::CreateView>()) {
        const StatePtr now = state();
        const auto known = now->catalog.views.find(view->name.text);
        if (known != now->catalog.views.end() && known->second->statement == canonical_text(*statement)) continue;
      } else if (!makes && !sets) {
        throw refused(*statement, "A file of queries holds CREATE, INSERT INTO ... SELECT, SET and DEFINE only.");
      }
      if (makes && runs_already(*statement, session)) continue;
      wanted += statement->text + "\n";
    }
  } catch (const SqlError& error) {
    return to_service_error(error, error.statement(), false);
  }
  if (Reply reply = execute({.sql = wanted}); reply.error) return reply.error;
  fixed_ = true;
  return std::nullopt;
}

}  // namespace millrace::inline server
