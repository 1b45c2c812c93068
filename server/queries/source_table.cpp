#include "server/queries/source_table.h"

#include "exec/expr/evaluator.h"
#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace::inline server {

QueryPtr make_source_table_query(const SourceDef& source, const std::string& id, const MutationContext& context) {
  Catalog catalog = context.state.catalog;
  catalog.sources[source.name] = std::make_shared<SourceDef>(source);
  const std::string text = "SELECT * FROM " + ast::format_name(source.name) + " EMIT CHANGES;";
  const ast::StatementPtr select = parse_statement(text);
  // The table may not exist yet where topics are looked up; nothing of the query depends on them.
  const BoundQuery bound = bind_push(*select->as<ast::Select>()->query, {catalog, context.functions, context.topics,
                                                                         context.properties, evaluate_constant});
  NodePtr leaf = bound.root;
  while (leaf->as<SourceNode>() == nullptr) leaf = inputs_of(*leaf).front();

  auto query = std::make_shared<QueryInfo>();
  query->id = id;
  query->origin = QueryOrigin::source_table;
  query->statement = source.statement;
  query->sources = {source.name};
  query->properties = context.overrides;
  query->plan = std::make_shared<PhysicalPlan>(
      make_physical(make_node(MaterializeNode{.input = leaf, .emit_before = false}), bound.options,
                    {.service_id = context.config.text("ksql.service.id"), .query_id = id, .transient = false}));
  return query;
}

}  // namespace millrace::inline server
