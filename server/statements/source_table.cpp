#include "server/statements/source_table.h"

#include "exec/expr/evaluator.h"
#include "server/queries/plan_context.h"
#include "server/queries/pull_plan.h"

namespace millrace::inline server {

QueryPtr make_source_table_query(const SourceDef& source, const std::string& id, const StatementContext& context) {
  Catalog catalog = context.state.catalog;
  catalog.sources[source.name] = std::make_shared<SourceDef>(source);

  auto query = std::make_shared<QueryInfo>();
  query->id = id;
  query->origin = QueryOrigin::source_table;
  query->statement = source.statement;
  query->sources = {source.name};
  query->properties = context.session.overrides;
  // The table's topic may not exist yet where topics are looked up; nothing of the query depends on it.
  query->plan =
      plan_kept(source, {catalog, context.functions, context.topics, context.session.effective, evaluate_constant},
                plan_context(id, false, context.session.effective, context.config));
  return query;
}

}  // namespace millrace::inline server
