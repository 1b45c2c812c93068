#include "server/statements/source_table.h"

#include "exec/expr/evaluator.h"
#include "server/queries/plan_context.h"

namespace millrace::inline server {
namespace {

/// SELECT * FROM `name` EMIT CHANGES
ast::Query select_all(const std::string& name) {
  ast::Query query;
  query.items.push_back(ast::SelectStar{});
  query.from.first.name.text = name;
  query.emit = ast::Emit::changes;
  return query;
}

}  // namespace

QueryPtr make_source_table_query(const SourceDef& source, const std::string& id, const StatementContext& context) {
  Catalog catalog = context.state.catalog;
  catalog.sources[source.name] = std::make_shared<SourceDef>(source);
  // The table's topic may not exist yet where topics are looked up; nothing of the query depends on it.
  const BoundQuery bound = bind_push(select_all(source.name), {catalog, context.functions, context.topics,
                                                               context.session.effective, evaluate_constant});
  NodePtr leaf = bound.root;
  while (!leaf->as<SourceNode>() && !leaf->as<NewestNode>()) leaf = inputs_of(*leaf).front();

  auto query = std::make_shared<QueryInfo>();
  query->id = id;
  query->origin = QueryOrigin::source_table;
  query->statement = source.statement;
  query->sources = {source.name};
  query->properties = context.session.overrides;
  query->plan =
      plan_kept_table(leaf, bound.options, plan_context(id, false, context.session.effective, context.config));
  return query;
}

}  // namespace millrace::inline server
