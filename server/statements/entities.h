#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string_view>

#include "server/statements/planned.h"

namespace millrace::inline server {

/// Parts of the entities of http-api.md.
boost::json::object entity(std::string_view type, const ast::Statement& statement);
boost::json::object type_json(const Type& type);
boost::json::array fields_json(const Schema& schema);
boost::json::value window_json(const std::optional<WindowInfo>& window);
boost::json::object query_json(const QueryInfo& query, const ShowContext& context);
std::string_view state_name(QueryState state);
/// All streams or all tables as DESCRIBE shows them.
boost::json::object source_descriptions(RelationKind kind, bool extended, const ast::Statement& statement,
                                        const ShowContext& context);

}  // namespace millrace::inline server
