#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/engine.h"
#include "exec/schemas/registry.h"
#include "parser/ast/statement.h"
#include "parser/syntax/parse.h"
#include "planner/bind/binder.h"
#include "planner/bind/change_rows.h"
#include "server/config/config.h"
#include "server/queries/state.h"

/// The table of statements: what each kind plans, applies and shows. One file per family; the dispatch over all kinds
/// is `plan_statement`.
namespace millrace::inline server {

/// Properties and variables of one request as it goes along: SET, UNSET, DEFINE and UNDEFINE change them for what
/// follows.
struct SessionProperties {
  PropertyMap overrides;  // what the session set, plain names
  PropertyMap effective;  // over the server's
  Variables variables;    // for SHOW VARIABLES; statements come with theirs replaced
};

/// A change of the catalog.
struct Mutation {
  std::string command_id;       // "stream/`X`/create"
  std::string statement;        // canonical SQL
  std::vector<Change> changes;  // empty: nothing to do
  std::string message;          // of the status entity
  std::optional<std::string> query_id;
  std::optional<std::string> warning;  // IF [NOT] EXISTS hit: a warning entity instead of a status

  // External effects, the submitter's business.
  std::optional<std::pair<std::string, TopicConfig>> create_topic;    // before the command
  std::vector<std::pair<std::string, TopicConfig>> more_topics = {};  // the same, of LATE INTO
  std::vector<std::shared_ptr<const PhysicalPlan>> prepare;  // before the command: internal topics and first progress
  std::vector<std::shared_ptr<const PhysicalPlan>> forget;   // after it
  std::optional<std::string> delete_topic;                   // after it
  std::vector<std::string> delete_subjects;                  // of the schema registry, after it
};

/// Rows for a source's topic, all or none.
struct RowInsert {
  SourcePtr source;
  BoundInsert bound;
};

/// UPSERT, UPDATE, DELETE, or INSERT INTO ... ONCE.
struct RowChangeStatement {
  SourcePtr source;
  BoundChange bound;
};

/// A change of the session, for the statements that follow in the request.
struct SessionChange {
  std::function<void(SessionProperties&)> apply;
};

/// What the other processes of the service say of themselves, by address (Document::report); null: no answer.
using OtherProcesses = std::map<std::string, boost::json::value>;

/// What a statement that only reads looks at when its turn comes.
struct ShowContext {
  StatePtr state;
  Log& log;
  Engine& engine;
  const FunctionCatalog& functions;
  const Config& config;
  const SessionProperties& session;
  const std::string& host;                                        // of this process, as others reach it
  std::vector<std::pair<std::string, std::string>> push_queries;  // that run here: id, text
  std::function<bool(const std::string&)> close_query;            // as Service::close_query
  SchemaRegistry& registry;
  std::function<const OtherProcesses&()> others;  // asked when it is first called
  /// What a table that this process keeps for pull queries takes; absent: it keeps none of that name.
  std::function<std::optional<std::size_t>(const std::string&)> kept_bytes;
};

/// A statement that only reads: gives its entity (http-api.md). Throws SqlError.
struct Show {
  std::function<boost::json::object(const ShowContext&)> entity;
};

/// SELECT and PRINT, which answer in rows at an endpoint of their own.
struct QueryStatement {};

/// What a statement amounts to, worked out against one state and not done yet. It refers to the statement.
using Planned = std::variant<Mutation, RowInsert, RowChangeStatement, SessionChange, Show, QueryStatement>;

/// What a statement is planned against. Borrowed for the call.
struct StatementContext {
  const ServiceState& state;
  const FunctionCatalog& functions;
  TopicLookup& topics;
  const SessionProperties& session;
  const Config& config;
  SchemaLookup* schemas = nullptr;  // null: no schema registry

  BindContext bind() const;
};

/// Throws SqlError. Touches nothing.
Planned plan_statement(const ast::Statement& statement, const StatementContext& context);

/// The source that rows may be inserted into one by one. Throws SqlError when there is none or rows are refused.
SourcePtr insert_target(const ast::Identifier& name, const StatementContext& context);

}  // namespace millrace::inline server
