#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "planner/bind/binder.h"
#include "planner/bind/coercion.h"
#include "planner/bind/formats.h"
#include "planner/bind/late_into.h"
#include "planner/bind/schemas.h"
#include "planner/bind/scope.h"
#include "planner/bind/sink.h"
#include "planner/bind/source_checks.h"

namespace millrace::inline planner {
namespace {

const SourceDef& require_target(const ast::InsertSelect& statement, const Catalog& catalog) {
  const auto& name = statement.target;
  const auto* target = catalog.find(name.text);
  if (!target) {
    throw SqlError(Code::unknown_source, name.span,
                   fmt::format("Line: {}, Col: {}: Source `{}` does not exist.{}", name.span.line, name.span.column,
                               name.text, source_hint(catalog, name.text)));
  }
  const auto fail = [&](Code code, const std::string& message) { throw SqlError(code, name.span, message); };
  if (target->kind == RelationKind::table) {
    fail(Code::invalid_insert,
         fmt::format("INSERT INTO can only be used to insert into a stream. {} is a table.", name.text));
  }
  if (target->read_only) fail(Code::read_only, fmt::format("Cannot insert into read-only stream: {}", name.text));
  if (std::ranges::count(target->schema.columns, ColumnRole::header, &ColumnDef::role) > 0) {
    fail(Code::invalid_insert, fmt::format("Cannot insert into {} because it has header columns", name.text));
  }
  return *target;
}

/// The result column as the sink wants it; nullopt when it does not fit.
std::optional<ProjectItem> fit(const ProjectItem& item, const ColumnDef& wanted) {
  if (item.column.name != wanted.name || item.column.role != wanted.role) return std::nullopt;
  if (item.column.type == wanted.type) return item;
  if (wanted.type.kind() != TypeKind::decimal) return std::nullopt;
  const bool narrower = item.column.type.kind() == TypeKind::decimal && can_widen(item.column.type, wanted.type);
  const bool literal = item.column.type.is_numeric() && item.expr->as<LiteralExpr>() != nullptr;
  if (!narrower && !literal) return std::nullopt;
  return ProjectItem{wanted, cast_to(item.expr, wanted.type)};
}

NodePtr fit_schema(const NodePtr& root, const SourceDef& target, Span span) {
  if (root->as<TimeSortNode>() || root->as<LateNode>())
    return with_inputs(*root, {fit_schema(inputs_of(*root).front(), target, span)});
  const auto& project = *root->as<ProjectNode>();
  const auto& wanted = target.schema.columns;
  std::vector<ProjectItem> items;
  for (std::size_t i = 0; i < wanted.size() && project.items.size() == wanted.size(); ++i) {
    if (auto item = fit(project.items[i], wanted[i])) items.push_back(std::move(*item));
  }
  if (items.size() != wanted.size()) {
    throw SqlError(Code::invalid_insert, span,
                   fmt::format("Incompatible schema between results and sink.\nResult schema is {}\nSink schema is {}",
                               root->schema.to_string(), target.schema.to_string()));
  }
  return make_node(ProjectNode{project.input, std::move(items)});
}

void check_query_id(const std::string& id, Span span) {
  const bool plain =
      !id.empty() && std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  if (!plain) {
    throw SqlError(Code::invalid_property, span,
                   fmt::format("Query IDs may contain only alphanumeric characters and '_'. Got: '{}'", id));
  }
  for (const std::string_view prefix : {"INSERTQUERY_", "CTAS_", "CSAS_", "CST_"}) {
    if (!id.starts_with(prefix)) continue;
    throw SqlError(
        Code::invalid_property, span,
        fmt::format(
            "Query IDs must not start with a reserved query ID prefix (INSERTQUERY_, CTAS_, CSAS_, CST_). Got '{}'.",
            id));
  }
}

}  // namespace

BoundQuery bind_insert_select(const ast::InsertSelect& statement, const BindContext& context) {
  const WithProperties with = read_with(statement.properties, WithKind::insert);
  const SourceDef& target = require_target(statement, context.catalog);
  if (with.query_id) check_query_id(*with.query_id, with.span);
  auto select = bind_select(*statement.query, context, target.name, {}, true);
  check_no_limit(*statement.query);
  if (select.root->kind == RelationKind::table) {
    throw SqlError(Code::invalid_insert, statement.query->span,
                   "INSERT INTO can only be used to insert into a stream, but the SELECT query produces a TABLE.");
  }
  BoundQuery bound;
  bound.options = read_options(context.properties);
  for (const auto* source : select.sources) bound.sources.push_back(source->name);
  bound.sink = target;
  bound.query_id = with.query_id;
  const NodePtr fitted = in_intervals(fit_schema(select.root, target, statement.target.span), *statement.query);
  SourceDef& sink = *bound.sink;
  if (!can_write(sink.key_format) || !can_write(sink.value_format)) set_sink_schemas(sink, {}, context);
  bound.root = make_sink(fitted, sink);
  bound.late = late_streams(bound.root, sink, context);
  return bound;
}

BoundQuery bind_push(const ast::Query& query, const BindContext& context) {
  refuse_late(query);
  auto select = bind_select(query, context, "");
  if (!late_streams(select.root, {}, context).empty())
    throw SqlError(Code::not_supported, query.span, "LATE INTO needs a persistent query.")
        .hint("a view that this reads says LATE INTO");
  check_duplicate_columns(select.root->schema, query.span);
  BoundQuery bound;
  bound.options = read_options(context.properties);
  for (const auto* source : select.sources) bound.sources.push_back(source->name);
  if (query.limit && *query.limit < 0) {
    throw SqlError(Code::invalid_statement, query.span,
                   "Push queries don't support negative integers in the LIMIT clause.");
  }
  bound.root = make_node(OutputNode{in_intervals(select.root, query), query.limit, select.order});
  return bound;
}

}  // namespace millrace::inline planner
