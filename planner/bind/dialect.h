#pragma once

#include <cstdint>

#include "parser/syntax/parse.h"
#include "planner/settings/settings.h"

namespace millrace::inline planner {

/// What ksqlDB refuses with words of its own and the default dialect takes: all checks of the dialect that are not the
/// grammar's (parser/syntax/dialect.cpp). `docs/differences.md` has them for readers.
enum class Lifted : std::uint8_t {
  default_values,    // INSERT ... VALUES (1, DEFAULT)
  pull_clauses,      // pull queries with GROUP BY, HAVING, aggregates, ORDER BY, OFFSET, DISTINCT
  plain_tables,      // pull queries on CREATE TABLE over a topic
  windowed_tables,   // persistent queries on windowed tables
  final_streams,     // CREATE STREAM ... EMIT FINAL
  loose_aggregates,  // GROUP BY without aggregates, aggregates without GROUP BY in persistent queries
  table_aggregates,  // aggregates that cannot take a row back, over tables
  any_join,          // several conditions in ON, a source joined with itself, any number of partitions
  idle_timeout,      // IDLE_TIMEOUT in WITH
  other_clusters,    // KAFKA_CLUSTER in WITH
  key_format,        // an inherited key format that cannot hold the key of a result gives way to JSON
};

/// What `millrace.dialect` says.
Dialect dialect_of(const PropertyMap& properties);
/// Whether the dialect takes it.
bool lifts(Lifted what, const PropertyMap& properties);

}  // namespace millrace::inline planner
