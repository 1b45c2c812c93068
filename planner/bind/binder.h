#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "parser/ast/statement.h"
#include "planner/catalog/catalog.h"
#include "planner/catalog/functions.h"
#include "planner/catalog/schemas.h"
#include "planner/logical/plan.h"
#include "planner/settings/settings.h"

namespace millrace::inline planner {

/// Everything a statement is bound against. Borrowed; must outlive the call only.
struct BindContext {
  const Catalog& catalog;
  const FunctionCatalog& functions;
  TopicLookup& topics;
  const PropertyMap& properties;
  ConstantEvaluator evaluate;
  SchemaLookup* schemas = nullptr;  // null: no schema registry
};

/// CREATE STREAM|TABLE over a topic, checked and complete. `create_topic` is set when the topic must be made.
struct BoundCreate {
  SourceDef source;
  std::optional<TopicInfo> create_topic;
  std::optional<std::int64_t> retention_ms;
};

/// The query part of CSAS, CTAS, INSERT INTO ... SELECT, or a push query.
struct BoundQuery {
  NodePtr root;  // SinkNode (persistent) or OutputNode (push)
  QueryOptions options;
  std::optional<SourceDef> sink;  // CSAS/CTAS: the source to create; INSERT: the target as it is
  bool creates_sink = false;
  std::optional<TopicInfo> create_topic;
  std::optional<std::int64_t> retention_ms;
  std::vector<std::string> sources;     // names read, in FROM order
  std::optional<std::string> query_id;  // INSERT ... WITH (QUERY_ID=...)
};

/// A pull query on a table or a stream, before key extraction.
struct BoundPull {
  std::string source;              // name in the catalog
  Schema row;                      // what predicate and items refer to: the source's schema
  ExprPtr predicate;               // null: none. May use window bounds and ROWTIME
  std::vector<ProjectItem> items;  // role key for columns shown as KEY
  std::optional<std::int64_t> limit;
  /// Constraints found in the predicate; the predicate is still applied to what they let through.
  /// Each disjunct: values for every key column (point look-up), or absent: scan.
  struct Lookup {
    std::vector<Value> key;                                                                          // empty: scan
    std::optional<std::int64_t> window_start_min, window_start_max, window_end_min, window_end_max;  // inclusive
    std::optional<Value> range_min,
        range_max;  // single STRING/BYTES key; inclusive bounds, predicate decides the edges
  };
  std::vector<Lookup> lookups;
};

/// INSERT VALUES, evaluated and coerced: one value per column of the schema.
struct BoundInsert {
  std::string target;
  std::vector<Value> row;                // in schema order
  std::optional<std::int64_t> row_time;  // ROWTIME given
};

/// All throw SqlError with a place and a hint. Pure: nothing outside the result changes.
BoundCreate bind_create(const ast::CreateSource& statement, const BindContext& context);
BoundQuery bind_create_as(const ast::CreateAs& statement, const BindContext& context);
BoundQuery bind_insert_select(const ast::InsertSelect& statement, const BindContext& context);
BoundQuery bind_push(const ast::Query& query, const BindContext& context);
BoundPull bind_pull(const ast::Query& query, const BindContext& context);
/// The source that INSERT VALUES may write to.
const SourceDef& require_insert_target(const ast::Identifier& name, const BindContext& context);
BoundInsert bind_insert_values(const ast::InsertValues& statement, const BindContext& context);
SourceDef bind_alter(const ast::AlterSource& statement, const BindContext& context);
Type resolve_type(const ast::TypeName& type, const Catalog& catalog);

}  // namespace millrace::inline planner
