#pragma once

#include "planner/bind/select.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {

/// Settings of a query from the session's properties.
QueryOptions read_options(const PropertyMap& properties);

/// Throws when the query of a stream or table has a LIMIT: it runs until it is terminated.
void check_no_limit(const ast::Query& query);

/// Formats of a sink: what WITH says, else those of the leftmost source.
void set_sink_formats(SourceDef& sink, const BoundSelect& select, const WithProperties& with,
                      const BindContext& context);

/// Throws unless the formats can hold the sink's schema.
void check_sink_formats(SourceDef& sink, const BoundSelect& select, const WithProperties& with,
                        const BindContext& context);

/// EMIT CHANGES EVERY: the changes of each interval; the rows themselves where nothing is said.
NodePtr in_intervals(NodePtr root, const ast::Query& query);

/// The sink node over a bound projection.
NodePtr make_sink(const NodePtr& input, const SourceDef& sink);

}  // namespace millrace::inline planner
