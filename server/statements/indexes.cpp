#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/pull_indexes.h"
#include "server/queries/pull_plan.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace {

const SourceDef& indexed_table(const ast::Identifier& name, const StatementContext& context) {
  const SourceDef* source = context.state.catalog.find(name.text);
  if (source == nullptr) throw SqlError(Code::unknown_source, name.span, fmt::format("{} does not exist.", name.text));
  if (source->kind == RelationKind::stream)
    throw SqlError(Code::invalid_statement, name.span,
                   fmt::format("Indexes are of tables: {} is a stream.", name.text));
  if (source->window)
    throw SqlError(Code::not_supported, name.span, "Windowed tables cannot be indexed yet.")
        .hint("rows are found by the key, WINDOWSTART and WINDOWEND");
  if (keeper_of(*source, context.state) == nullptr)
    throw SqlError(Code::invalid_statement, name.span, fmt::format("No query keeps the rows of {}.", name.text))
        .hint("CREATE TABLE … AS SELECT and CREATE SOURCE TABLE make tables that can be indexed");
  return *source;
}

std::string indexed_column(const ast::SortItem& item, const SourceDef& table) {
  const auto* read = item.expr->as<ast::ColumnRef>();
  if (read == nullptr || read->qualifier)
    throw SqlError(Code::not_supported, item.span, "An index is over columns of its table.")
        .hint("a table whose SELECT computes the expression has it as a column");
  if (item.descending || item.nulls_first)
    throw SqlError(Code::not_supported, item.span, "An index finds values; it has no order to be chosen.");
  const auto column = table.schema.find(read->name.text);
  if (!column)
    throw SqlError(Code::unknown_column, item.span, fmt::format("{} has no column {}.", table.name, read->name.text));
  const Type& type = table.schema.columns[*column].type;
  if (!can_be_indexed(type))
    throw SqlError(Code::not_supported, item.span,
                   fmt::format("{} is {}: values of that type cannot be indexed.", read->name.text, type.to_string()));
  return read->name.text;
}

/// The query with other indexes starts in its place: state, offsets and topics stay as they are.
void change_indexes(const QueryInfo& keeper, std::vector<TableIndex> indexes, Mutation& result) {
  auto plan = std::make_shared<PhysicalPlan>(*keeper.plan);
  plan->materialization->indexes = std::move(indexes);
  auto query = std::make_shared<QueryInfo>(keeper);
  query->plan = std::move(plan);
  query->paused = false;
  result.changes.push_back({Change::Kind::start_query, keeper.id, {}, nullptr, std::move(query)});
  if (keeper.paused) result.changes.push_back({Change::Kind::pause_query, keeper.id, {}, nullptr, nullptr});
}

}  // namespace

Planned plan(const ast::CreateIndex& create, const ast::Statement& statement, const StatementContext& context) {
  const std::string& name = create.name.text;
  Mutation result;
  result.command_id = fmt::format("index/`{}`/create", name);
  result.statement = ast::format(statement);
  if (const auto known = context.state.catalog.indexes.find(name); known != context.state.catalog.indexes.end()) {
    const std::string message = fmt::format("Index {} already exists, on {}.", name, known->second->table);
    if (!create.if_not_exists) throw SqlError(Code::already_exists, create.name.span, message);
    result.warning = message;
    return result;
  }
  const SourceDef& table = indexed_table(create.table, context);
  TableIndex index{.name = name, .columns = {}};
  for (const ast::SortItem& item : create.items) {
    index.columns.push_back(indexed_column(item, table));
    if (std::ranges::count(index.columns, index.columns.back()) > 1)
      throw SqlError(Code::invalid_statement, item.span, fmt::format("{} is named twice.", index.columns.back()));
  }
  const QueryInfo& keeper = *keeper_of(table, context.state);
  std::vector<TableIndex> indexes = keeper.plan->materialization->indexes;
  indexes.push_back(std::move(index));
  change_indexes(keeper, std::move(indexes), result);
  result.changes.push_back({Change::Kind::put_index, name, result.statement, nullptr, nullptr});
  result.message = fmt::format("Index {} created.", name);
  return result;
}

Planned plan(const ast::DropIndex& drop, const ast::Statement& statement, const StatementContext& context) {
  const std::string& name = drop.name.text;
  Mutation result;
  result.command_id = fmt::format("index/{}/drop", name);
  result.statement = ast::format(statement);
  const auto known = context.state.catalog.indexes.find(name);
  if (known == context.state.catalog.indexes.end()) {
    const std::string message = fmt::format("Index {} does not exist.", name);
    if (!drop.if_exists) throw SqlError(Code::unknown_source, drop.name.span, message);
    result.warning = message;
    return result;
  }
  const SourceDef* table = context.state.catalog.find(known->second->table);
  if (const QueryInfo* keeper = table != nullptr ? keeper_of(*table, context.state) : nullptr) {
    std::vector<TableIndex> indexes = keeper->plan->materialization->indexes;
    std::erase_if(indexes, [&](const TableIndex& index) { return index.name == name; });
    change_indexes(*keeper, std::move(indexes), result);
  }
  result.changes.push_back({Change::Kind::drop_index, name, {}, nullptr, nullptr});
  result.message = fmt::format("Index {} was dropped.", name);
  return result;
}

Planned plan(const ast::ShowIndexes&, const ast::Statement& statement, const StatementContext&) {
  return Show{[&statement](const ShowContext& context) {
    boost::json::array list;
    for (const auto& [name, index] : context.state->catalog.indexes)
      list.push_back(boost::json::object{
          {"name", name}, {"table", index->table}, {"columns", fmt::format("{}", fmt::join(index->columns, ", "))}});
    boost::json::object object = entity("indexes", statement);
    object["indexes"] = std::move(list);
    return object;
  }};
}

void keep_indexes(const QueryInfo& replaced, const Schema& columns, PhysicalPlan& plan) {
  if (!replaced.plan->materialization) return;
  for (const TableIndex& index : replaced.plan->materialization->indexes)
    for (const std::string& column : index.columns) {
      const auto old = replaced.plan->result.find(column), now = columns.find(column);
      if (plan.materialization && now && replaced.plan->result.columns[*old].type == columns.columns[*now].type)
        continue;
      throw general_error(Code::invalid_statement,
                          fmt::format("Index {} on {} uses {}, which the new definition lacks. Drop it first.",
                                      index.name, replaced.sink, column));
    }
  if (plan.materialization) plan.materialization->indexes = replaced.plan->materialization->indexes;
}

void need(const ast::CreateIndex& create, Needs& needs) {
  needs.add(Privilege::create, create.table.text);
}

void need(const ast::DropIndex& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
}

}  // namespace millrace::inline server
