#include "planner/bind/change_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {
namespace {

/// Key columns, then value columns.
std::vector<ColumnDef> written_columns(const SourceDef& table) {
  std::vector<ColumnDef> columns = table.schema.keys();
  std::ranges::copy(table.schema.values(), std::back_inserter(columns));
  return columns;
}

const SourceDef& require_table(const ast::Identifier& name, const BindContext& context) {
  const SourceDef& table = require_insert_target(name, context);
  if (table.kind == RelationKind::stream)
    throw SqlError(Code::not_supported, name.span, "Rows of a stream cannot be changed.")
        .hint("INSERT INTO adds rows to it");
  if (table.from_query)
    throw SqlError(Code::not_supported, name.span,
                   fmt::format("Rows of {} are written by query {}.", table.name, table.created_by));
  return table;
}

std::size_t require_column(const ast::Identifier& name, const std::vector<ColumnDef>& columns, const SourceDef& table) {
  const auto found = std::ranges::find(columns, name.text, &ColumnDef::name);
  if (found == columns.end())
    throw SqlError(Code::unknown_column, name.span,
                   fmt::format("{} has no column `{}` that can be set.", table.name, name.text));
  return static_cast<std::size_t>(found - columns.begin());
}

ast::Query select_from(const SourceDef& table, ast::ExprPtr where, Span span) {
  ast::Query query;
  query.from.first.name = {.text = table.name, .quoted = true, .span = span};
  query.where = std::move(where);
  query.span = span;
  return query;
}

void select(ast::Query& query, const std::string& name, ast::ExprPtr expr) {
  const Span span = expr->span;
  query.items.emplace_back(
      ast::SelectExpr{std::move(expr), ast::Identifier{.text = name, .quoted = true, .span = span}, span});
}

/// A pull query on the whole of a table, whatever a session says about scans.
BoundPull bind_found(const ast::Query& query, const BindContext& context) {
  PropertyMap properties = context.properties;
  properties["ksql.query.pull.table.scan.enabled"] = "true";
  return bind_pull(query,
                   {context.catalog, context.functions, context.topics, properties, context.evaluate, context.schemas});
}

ExprPtr fitted(const ProjectItem& item, const ColumnDef& column, const ast::Expression& written) {
  const auto* literal = item.expr->as<LiteralExpr>();
  if (literal && literal->value.is_null()) return make_literal(Value(), column.type);
  if (item.expr->type == column.type) return item.expr;
  if (can_widen(item.expr->type, column.type)) return cast_to(item.expr, column.type);
  throw SqlError(Code::type_mismatch, written.span,
                 fmt::format("Column `{}` is {}, but what it is set to is {}.", column.name, column.type.to_string(),
                             item.expr->type.to_string()))
      .hint("CAST makes one of the other");
}

/// The same over the columns of a query. A NULL there has no type of its own.
ProjectItem fitted_column(const NodePtr& from, std::size_t i, const ColumnDef& column, const ast::Expression& written) {
  const ColumnDef& given = from->schema.columns[i];
  const auto* project = from->as<ProjectNode>();
  const auto* literal = project ? project->items[i].expr->as<LiteralExpr>() : nullptr;
  if (literal && literal->value.is_null()) return {column, make_literal(Value(), column.type)};
  return {column, fitted({given, make_column(i, given.type, given.name)}, column, written)};
}

/// What the statement reads; true: it is in `many`.
bool bind_many(const ast::Query& query, const BindContext& context, BoundChange& change) {
  if (!is_finite_form(query, context)) return false;
  change.many = bind_finite(query, context);
  change.many->sources.clear();  // the catalog may be gone when it is run
  return true;
}

bool all_literal(const KeyAccess& access) {
  return std::ranges::all_of(access.key, [](const ExprPtr& part) { return part->as<LiteralExpr>() != nullptr; });
}

}  // namespace

BoundChange bind_upsert(const ast::UpsertValues& statement, const BindContext& context) {
  const SourceDef& table = require_table(statement.target, context);
  const std::vector<ColumnDef> columns = written_columns(table);
  BoundChange change{.kind = BoundChange::Kind::upsert, .target = table.name, .found = {}};
  for (const ast::Identifier& name : statement.columns)
    if (name.text != "ROWTIME" || table.schema.find(name.text))
      change.given.push_back(require_column(name, columns, table));
  change.rows = bind_insert_values({statement.target, statement.columns, statement.rows}, context).rows;
  ast::Query query = select_from(table, nullptr, statement.target.span);
  for (const ColumnDef& column : columns)
    select(query, column.name, make_ast_column(table.name, column.name, statement.target.span));
  change.found = bind_found(query, context);
  return change;
}

BoundChange bind_update(const ast::UpdateRows& statement, const BindContext& context) {
  const SourceDef& table = require_table(statement.target, context);
  const std::vector<ColumnDef> columns = written_columns(table);
  const std::size_t keys = table.schema.key_count();
  std::vector<ast::ExprPtr> set(columns.size());
  for (const auto& [name, expr] : statement.set) {
    const std::size_t column = require_column(name, columns, table);
    if (column < keys)
      throw SqlError(Code::invalid_key, name.span,
                     fmt::format("Primary key column {} cannot be changed; DELETE and INSERT.", name.text));
    if (set[column])
      throw SqlError(Code::invalid_statement, name.span, fmt::format("Column {} is set twice.", name.text));
    set[column] = expr;
  }
  ast::Query query = select_from(table, statement.where, statement.target.span);
  for (std::size_t i = 0; i < columns.size(); ++i)
    select(query, columns[i].name,
           set[i] ? set[i] : make_ast_column(table.name, columns[i].name, statement.target.span));
  BoundChange change{.kind = BoundChange::Kind::update, .target = table.name, .found = {}};
  if (bind_many(query, context, change)) {
    ProjectNode project{change.many->root, {}};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (set[i] && has_call_of(context.functions, set[i], FunctionKind::aggregate))
        throw SqlError(Code::invalid_aggregate, set[i]->span, "UPDATE does not take aggregate functions.");
      project.items.push_back(set[i] ? fitted_column(project.input, i, columns[i], *set[i])
                                     : ProjectItem{columns[i], make_column(i, columns[i].type, columns[i].name)});
    }
    change.many->root = make_node(std::move(project));
    return change;
  }
  change.found = bind_found(query, context);
  if (change.found.groups)
    throw SqlError(Code::invalid_aggregate, statement.target.span, "UPDATE does not take aggregate functions.");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ProjectItem& item = change.found.items[i];
    if (set[i]) item = {columns[i], fitted(item, columns[i], *set[i])};
  }
  return change;
}

BoundChange bind_delete(const ast::DeleteRows& statement, const BindContext& context) {
  const SourceDef& table = require_table(statement.target, context);
  ast::Query query = select_from(table, statement.where, statement.target.span);
  for (const ColumnDef& column : table.schema.keys())
    select(query, column.name, make_ast_column(table.name, column.name, statement.target.span));
  BoundChange change{.kind = BoundChange::Kind::remove, .target = table.name, .found = {}};
  if (bind_many(query, context, change)) return change;
  change.found = bind_found(query, context);
  const BoundPull::Access& access = change.found.access;
  if (!access.says_all || !std::ranges::all_of(access.keys, all_literal)) return change;
  for (const KeyAccess& named : access.keys) {
    std::vector<Value> key;
    for (const ExprPtr& part : named.key) key.push_back(part->as<LiteralExpr>()->value);
    if (std::ranges::find(change.keys, key) == change.keys.end()) change.keys.push_back(std::move(key));
  }
  return change;
}

BoundChange bind_insert_once(const ast::InsertOnce& statement, const BindContext& context) {
  const SourceDef& target = require_insert_target(statement.target, context);
  if (target.kind == RelationKind::table) (void)require_table(statement.target, context);
  if (statement.query->emit != ast::Emit::none)
    throw SqlError(Code::invalid_statement, statement.query->span,
                   "INSERT INTO ... ONCE takes a query that ends: one without EMIT.");
  for (const auto& item : statement.query->items)
    if (const auto* single = std::get_if<ast::SelectExpr>(&item);
        single && has_call_of(context.functions, single->expr, FunctionKind::table))
      throw SqlError(Code::not_supported, single->span, "INSERT INTO ... ONCE does not take table functions.")
          .hint("INSERT INTO ... SELECT does");
  BoundChange change{.kind = BoundChange::Kind::insert, .target = target.name, .found = {}};
  const std::vector<ColumnDef> columns = written_columns(target);
  change.items.resize(columns.size());
  const auto column_of = [&](const std::string& name) {
    return require_column({.text = name, .quoted = true, .span = statement.query->span}, columns, target);
  };
  if (bind_many(*statement.query, context, change)) {
    ProjectNode project{change.many->root, {}};
    const Schema& given = project.input->schema;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::size_t column = column_of(given.columns[i].name);
      const ast::ExprPtr written = make_ast_column("", given.columns[i].name, statement.query->span);
      project.items.push_back(fitted_column(project.input, i, columns[column], *written));
      change.items[column] = i;
    }
    change.many->root = make_node(std::move(project));
  } else {
    change.found = bind_pull(*statement.query, context);
  }
  for (std::size_t i = 0; i < change.found.items.size(); ++i) {
    ProjectItem& item = change.found.items[i];
    const ast::ExprPtr written = make_ast_column("", item.column.name, statement.query->span);
    const std::size_t column = column_of(item.column.name);
    // What is grouped by its values keeps its type.
    if (!change.found.distinct) item.expr = fitted(item, columns[column], *written);
    if (item.expr->type != columns[column].type)
      throw SqlError(Code::type_mismatch, statement.query->span,
                     fmt::format("Column `{}` is {}, but what the query gives is {}.", item.column.name,
                                 columns[column].type.to_string(), item.expr->type.to_string()));
    item.column.type = columns[column].type;
    change.items[column] = i;
  }
  for (std::size_t key = 0; target.kind == RelationKind::table && key < target.schema.key_count(); ++key)
    if (!change.items[key])
      throw SqlError(Code::invalid_insert, statement.query->span,
                     fmt::format("The query gives no primary key column `{}`.", columns[key].name));
  return change;
}

namespace {

std::vector<RowChange> inserted(const BoundChange& change, std::vector<std::vector<Value>> found) {
  std::vector<RowChange> changes;
  for (auto& row : found) {
    RowChange& made = changes.emplace_back();
    for (const auto& item : change.items) made.values.push_back(item ? std::move(row[*item]) : Value());
  }
  return changes;
}

std::vector<RowChange> upserted(const BoundChange& change, std::vector<std::vector<Value>> found) {
  const std::size_t keys = change.found.row.key_count();
  const auto same_key = [&](const std::vector<Value>& a, const std::vector<Value>& b) {
    return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(keys), b.begin());
  };
  std::vector<RowChange> changes;
  for (const BoundInsert::Row& row : change.rows) {
    // A row of the statement sees those before it.
    auto old = std::ranges::find_if(found, [&](const auto& other) { return same_key(row.values, other); });
    if (old == found.end()) {
      found.push_back(row.values);
      old = std::prev(found.end());
    } else {
      for (const std::size_t column : change.given) (*old)[column] = row.values[column];
    }
    changes.push_back({*old, false, row.time});
  }
  return changes;
}

}  // namespace

std::vector<RowChange> row_changes(const BoundChange& change, std::vector<std::vector<Value>> found) {
  if (change.kind == BoundChange::Kind::upsert) return upserted(change, std::move(found));
  if (change.kind == BoundChange::Kind::insert) return inserted(change, std::move(found));
  std::vector<RowChange> changes;
  const bool removed = change.kind == BoundChange::Kind::remove;
  for (const auto& values : change.reads() ? found : change.keys) changes.push_back({values, removed});
  return changes;
}

}  // namespace millrace::inline planner
