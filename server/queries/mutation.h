#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exec/log/log.h"
#include "parser/ast/statement.h"
#include "server/config/config.h"
#include "server/queries/state.h"

namespace millrace::inline server {

/// What a statement that changes the catalog amounts to, worked out against one state and not done yet.
struct Mutation {
  std::string command_id;       // "stream/`X`/create"
  std::string statement;        // canonical SQL
  std::vector<Change> changes;  // empty: nothing to do
  std::string message;          // of the status entity
  std::optional<std::string> query_id;
  std::optional<std::string> warning;  // IF [NOT] EXISTS hit: a warning entity instead of a status

  // External effects, the submitter's business.
  std::optional<std::pair<std::string, TopicConfig>> create_topic;  // before the command
  std::vector<std::shared_ptr<const PhysicalPlan>> prepare;  // before the command: internal topics and first progress
  std::vector<std::shared_ptr<const PhysicalPlan>> forget;   // after it
  std::optional<std::string> delete_topic;                   // after it
};

struct MutationContext {
  const ServiceState& state;
  const FunctionCatalog& functions;
  TopicLookup& topics;
  const PropertyMap& properties;  // of the session, over the server's
  const PropertyMap& overrides;   // what the session itself set
  const Config& config;
};

/// True for the statements that `plan_mutation` takes.
bool is_mutation(const ast::Statement& statement);

/// Throws SqlError. Touches nothing.
Mutation plan_mutation(const ast::Statement& statement, const MutationContext& context);

/// Runs the rules over a bound plan and makes the physical one.
std::shared_ptr<const PhysicalPlan> make_plan(const NodePtr& root, const QueryOptions& options,
                                              const std::string& query_id, bool transient,
                                              const PropertyMap& properties, const Config& config,
                                              std::vector<std::string>* fired = nullptr);

/// True when `topic` matches one of the regular expressions of a `ksql.*.topics` setting.
bool matches_topic_list(const std::string& topic, const std::string& patterns);

}  // namespace millrace::inline server
