#include "parser/syntax/builder.h"

namespace millrace::inline parser {
namespace {

constexpr std::string_view kKeyAdvice =
    "\nTables have PRIMARY KEYs, which are unique and NON NULL."
    "\nStreams have KEYs, which have no uniqueness or NON NULL constraints.";

std::string place(const Span& span) {
  return "Line: " + std::to_string(span.line) + ", Col: " + std::to_string(span.column);
}

/// Streams have keys, tables have primary keys.
void check_key_role(const ast::ColumnDefinition& column, ast::SourceKind kind) {
  const bool table = kind == ast::SourceKind::table;
  const auto wrong = table ? ast::ColumnRole::key : ast::ColumnRole::primary_key;
  if (column.role != wrong) return;
  const std::string found = table ? "KEY" : "PRIMARY KEY";
  const std::string wanted = table ? "PRIMARY KEY' for tables." : "KEY' for streams.";
  throw SqlError(Code::invalid_key, column.span,
                 place(column.span) + ": Column `" + column.name.text + "` is a '" + found + "' column: please use '" +
                     wanted + std::string(kKeyAdvice),
                 ErrorClass::parse);
}

}  // namespace

ast::SourceKind Builder::source_kind(P::SourceKindContext* context) {
  return context->STREAM() != nullptr ? ast::SourceKind::stream : ast::SourceKind::table;
}

ast::ConnectorKind Builder::connector_kind(P::ConnectorKindContext* context) {
  if (context == nullptr) return ast::ConnectorKind::any;
  return context->SOURCE() != nullptr ? ast::ConnectorKind::source : ast::ConnectorKind::sink;
}

ast::ColumnDefinition Builder::column(P::ColumnDefinitionContext* context) {
  ast::ColumnDefinition column;
  column.name = name(context->name());
  column.type = data_type(context->dataType());
  column.span = span(context);
  auto* role = context->columnRole();
  if (role == nullptr) return column;
  if (role->HEADERS() != nullptr) {
    column.role = ast::ColumnRole::headers;
  } else if (role->HEADER() != nullptr) {
    column.role = ast::ColumnRole::header;
    column.header_key = string(role->STRING());
  } else {
    column.role = role->PRIMARY() != nullptr ? ast::ColumnRole::primary_key : ast::ColumnRole::key;
  }
  return column;
}

std::vector<ast::ColumnDefinition> Builder::columns(P::ColumnListContext* context, ast::SourceKind kind) {
  std::vector<ast::ColumnDefinition> all;
  if (context == nullptr) return all;
  for (auto* item : context->columnDefinition()) {
    all.push_back(column(item));
    check_key_role(all.back(), kind);
  }
  return all;
}

ast::ExprPtr Builder::property_value(P::PropertyValueContext* context) {
  if (context->literal() != nullptr) return literal(context->literal());
  return number(context->number(), context->MINUS() != nullptr, span(context));
}

/// Connectors have their own property names, where the case of a quoted name counts.
ast::Properties Builder::properties(P::WithClauseContext* context, bool upper_case_names) {
  ast::Properties all;
  if (context == nullptr) return all;
  for (auto* item : context->property()) {
    std::string key = item->STRING() != nullptr ? string(item->STRING()) : name(item->name()).text;
    if (upper_case_names) {
      for (char& c : key) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
    }
    all.push_back({std::move(key), property_value(item->propertyValue()), span(item)});
  }
  return all;
}

Builder::Node Builder::create_source(P::CreateSourceContext* context) {
  if (context->query() != nullptr) return create_as(context);
  ast::CreateSource source;
  source.kind = source_kind(context->sourceKind());
  source.name = name(context->name());
  source.or_replace = context->orReplace() != nullptr;
  source.if_not_exists = context->ifNotExists() != nullptr;
  source.read_only = context->readOnly != nullptr;
  source.columns = columns(context->columnList(), source.kind);
  source.properties = properties(context->withClause());
  return source;
}

Builder::Node Builder::create_as(P::CreateSourceContext* context) {
  if (context->readOnly != nullptr) {
    const Span at = span(context->AS()->getSymbol());
    throw SqlError(Code::syntax, at,
                   "line " + std::to_string(at.line) + ":" + std::to_string(at.column) +
                       ": Syntax Error\nA SOURCE stream or table cannot be made by a query",
                   ErrorClass::parse);
  }
  ast::CreateAs created;
  created.kind = source_kind(context->sourceKind());
  created.name = name(context->name());
  created.or_replace = context->orReplace() != nullptr;
  created.if_not_exists = context->ifNotExists() != nullptr;
  created.properties = properties(context->withClause());
  created.query = query(context->query());
  return created;
}

Builder::Node Builder::alter_source(P::AlterSourceContext* context) {
  ast::AlterSource alter{source_kind(context->sourceKind()), name(context->name()), {}};
  for (auto* item : context->addColumn()) {
    ast::ColumnDefinition added;
    added.name = name(item->name());
    added.type = data_type(item->dataType());
    added.span = span(item);
    alter.added.push_back(std::move(added));
  }
  return alter;
}

Builder::Node Builder::drop_source(P::DropSourceContext* context) {
  return ast::DropSource{source_kind(context->sourceKind()), name(context->name()), context->ifExists() != nullptr,
                         context->DELETE() != nullptr};
}

Builder::Node Builder::create_view(P::CreateViewContext* context) {
  return ast::CreateView{name(context->name()), context->orReplace() != nullptr, names(context->nameList()),
                         query(context->query())};
}

Builder::Node Builder::create_index(P::CreateIndexContext* context) {
  ast::CreateIndex made{name(context->name(0)), context->ifNotExists() != nullptr, name(context->name(1)), {}};
  for (auto* item : context->sortItem()) made.items.push_back(sort_item(item));
  return made;
}

Builder::Node Builder::create_function(P::CreateFunctionContext* context) {
  ast::CreateFunction made{
      name(context->name()),          context->orReplace() != nullptr,  context->ifNotExists() != nullptr, {},
      data_type(context->dataType()), expression(context->expression())};
  for (auto* item : context->parameter()) made.parameters.push_back({name(item->name()), data_type(item->dataType())});
  return made;
}

Builder::Node Builder::create_type(P::CreateTypeContext* context) {
  return ast::CreateType{name(context->name()), context->ifNotExists() != nullptr, data_type(context->dataType())};
}

Builder::Node Builder::create_connector(P::CreateConnectorContext* context) {
  return ast::CreateConnector{connector_kind(context->connectorKind()), name(context->name()),
                              context->ifNotExists() != nullptr, properties(context->withClause(), false)};
}

}  // namespace millrace::inline parser
