#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/statements/planned.h"

namespace millrace::inline server {

/// Parts of the entities of http-api.md.
boost::json::object entity(std::string_view type, const ast::Statement& statement);
/// What whoever makes the query should know (warnings_of).
boost::json::array warnings_json(const PhysicalPlan& plan);
boost::json::object type_json(const Type& type);
boost::json::array fields_json(const Schema& schema);
boost::json::value window_json(const std::optional<WindowInfo>& window);
boost::json::object query_json(const QueryInfo& query, const ShowContext& context);
/// What `queryType` says.
inline constexpr std::string_view kPersistentQuery = "PERSISTENT", kPushQuery = "PUSH", kPullQuery = "PULL";
std::string_view state_name(QueryState state);
/// How a query stands at every process of the service, this one first.
struct HostQuery {
  std::string host, state;
  std::string error;            // why it is in ERROR, or failed last
  std::int64_t error_time = 0;  // ms; 0: never
  std::int64_t rows_out = 0, bad_records = 0;
};
std::vector<HostQuery> query_at_hosts(const QueryInfo& query, const ShowContext& context);
/// Of all of them together: the one that most wants somebody to look.
std::string worst_state(const std::vector<HostQuery>& hosts);
/// What Service::report says of a query.
boost::json::object query_report(const QueryInfo& query, Engine& engine);
/// All streams or all tables as DESCRIBE shows them.
boost::json::object source_descriptions(RelationKind kind, bool extended, const ast::Statement& statement,
                                        const ShowContext& context);

/// The newest schema of a topic's keys or values; no id where there is none, `error` where the registry cannot say.
boost::json::object subject_json(const std::string& subject, bool is_key, SchemaRegistry& registry);
/// Those of a source's formats, with the ids that its rows are written by.
boost::json::array schemas_json(const SourceDef& source, SchemaRegistry& registry);
/// Those of a topic among the registry's subjects.
boost::json::array topic_schemas_json(const std::string& topic, const std::vector<std::string>& subjects,
                                      SchemaRegistry& registry);

}  // namespace millrace::inline server
