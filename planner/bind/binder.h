#pragma once

#include <map>
#include <optional>
#include <span>
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

/// The stream of LATE INTO.
struct BoundLate {
  SourceDef sink;
  bool made = false;  // it is not there yet
  std::optional<TopicInfo> create_topic;
};

/// The query part of CSAS, CTAS, INSERT INTO ... SELECT, or a push query.
struct BoundQuery {
  NodePtr root;  // SinkNode (persistent) or OutputNode (push)
  QueryOptions options;
  std::optional<SourceDef> sink;  // CSAS/CTAS: the source to create; INSERT: the target as it is
  std::optional<TopicInfo> create_topic;
  std::optional<std::int64_t> retention_ms;
  std::vector<std::string> sources;     // names read, in FROM order
  std::optional<std::string> query_id;  // INSERT ... WITH (QUERY_ID=...)
  std::vector<BoundLate> late = {};
};

/// A literal of a pull query's text that stands for any of its kind: the value is taken from a text when the plan is
/// run.
struct PullParameter {
  Span literal;
  Type type;          // the value is cast to it
  bool time = false;  // a text is a time (WINDOWSTART = '2020-01-01'), given in ms
};

/// A pull query on a table or a stream.
struct BoundPull {
  std::string source;              // name in the catalog
  Schema row;                      // what predicate and items refer to: the source's schema
  ExprPtr predicate;               // null: none. May use window bounds and ROWTIME
  std::vector<ProjectItem> items;  // role key for columns shown as KEY
  std::optional<std::int64_t> limit, offset;
  /// GROUP BY, or aggregates alone. Items, HAVING and the order are over the groups then: keys, then calls.
  struct Groups {
    std::vector<ProjectItem> keys;
    std::vector<AggregateCall> calls;
    ExprPtr having;  // null: none
  };
  std::optional<Groups> groups;
  bool distinct = false;
  std::vector<SortKey> order;  // over the items when `distinct`, else over what they are over
  bool row_wise() const { return !groups && !distinct && order.empty() && !offset; }
  /// Where the rows are found. The predicate is still applied to what is found, unless the keys say it all.
  struct Access {
    std::vector<KeyAccess> keys;      // point look-ups; none: a scan
    bool says_all = false;            // the rows of these keys are exactly those that the predicate accepts
    std::vector<WindowLimit> limits;  // of the scan
    std::vector<ExprPtr> from, to;    // of its keys, inclusive; the predicate decides at the edges
    /// By an index of the table: rows whose values in its columns begin with one of these; `from` and `to` are a range
    /// of the column behind a single prefix then.
    std::string index = {};
    std::vector<std::size_t> index_columns = {};  // of `row`
    std::vector<KeyAccess> prefixes = {};
  };
  Access access;
  std::vector<PullParameter> parameters;  // of ParameterExpr, by index
  std::int64_t most_memory_bytes = 0;     // of what groups and sorts
};

/// INSERT VALUES, evaluated and coerced: one value per column of the schema.
struct BoundInsert {
  struct Row {
    std::vector<Value> values;         // in schema order
    std::optional<std::int64_t> time;  // ROWTIME given
  };
  std::string target;
  std::vector<Row> rows;
};

/// All throw SqlError with a place and a hint. Pure: nothing outside the result changes.
BoundCreate bind_create(const ast::CreateSource& statement, const BindContext& context);
BoundQuery bind_create_as(const ast::CreateAs& statement, const BindContext& context);
BoundQuery bind_insert_select(const ast::InsertSelect& statement, const BindContext& context);
BoundQuery bind_push(const ast::Query& query, const BindContext& context);
/// Literals of WHERE that end where one of `liftable` does become parameters, as far as nothing else depends on their
/// values: the plan is then that of every text that differs in those only.
BoundPull bind_pull(const ast::Query& query, const BindContext& context, std::span<const Span> liftable = {});
/// The source that INSERT VALUES may write to.
const SourceDef& require_insert_target(const ast::Identifier& name, const BindContext& context);
BoundInsert bind_insert_values(const ast::InsertValues& statement, const BindContext& context);
SourceDef bind_alter(const ast::AlterSource& statement, const BindContext& context);
Type resolve_type(const ast::TypeName& type, const Catalog& catalog);

}  // namespace millrace::inline planner
