#include "planner/bind/views.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/finite_query.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_relations.h"
#include "planner/bind/source_checks.h"

namespace millrace::inline planner {
namespace {

/// What a query gives when it goes on for ever.
Schema lasting_columns(const ast::Query& query, const BindContext& context) {
  const BoundSelect bound = bind_inner(query, context, nullptr, false);
  Schema shown;
  for (const std::size_t at : bound.order) shown.columns.push_back(bound.root->schema.columns[at]);
  return shown;
}

/// What it gives in either way.
Schema columns_of(const ast::Query& query, const BindContext& context) {
  try {
    return bind_finite_query(query, context, nullptr).root->schema;
  } catch (const SqlError& finite) {
    try {
      return lasting_columns(query, context);
    } catch (const SqlError&) {
      throw finite;
    }
  }
}

}  // namespace

ViewPtr make_view(const ast::CreateView& create, std::string statement) {
  auto view = std::make_shared<ViewDef>();
  view->name = create.name.text;
  for (const auto& column : create.columns) view->columns.push_back(column.text);
  view->query = create.query;
  view->statement = std::move(statement);
  for_each_source(*create.query, [&](const ast::Identifier& name) {
    if (std::ranges::find(view->reads, name.text) == view->reads.end()) view->reads.push_back(name.text);
  });
  return view;
}

void check_view(const ast::CreateView& create, const BindContext& context) {
  const auto& name = create.name;
  if (create.query->emit != ast::Emit::none)
    throw SqlError(Code::invalid_statement, create.query->span, "A view has no EMIT: the query that reads it has.");
  if (const SourceDef* source = context.catalog.find(name.text))
    throw SqlError(Code::already_exists, name.span,
                   fmt::format("Cannot add view '{}': A {} with the same name already exists", name.text,
                               kind_word(source->kind)));
  if (context.catalog.views.contains(name.text) && !create.or_replace)
    throw SqlError(Code::already_exists, name.span,
                   fmt::format("Cannot add view '{0}': A view with the same name already exists", name.text))
        .hint("CREATE OR REPLACE changes it");
  const auto over = views_over(context.catalog, name.text);
  for_each_source(*create.query, [&](const ast::Identifier& read) {
    if (!(read == name) && std::ranges::find(over, read.text) == over.end()) return;
    throw SqlError(Code::invalid_statement, read.span, fmt::format("View {} would read itself.", name.text));
  });
  const Schema columns = columns_of(*create.query, context);
  if (!create.columns.empty() && create.columns.size() != columns.size())
    throw SqlError(
        Code::invalid_statement, name.span,
        fmt::format("{} names {} columns, but its query gives {}.", name.text, create.columns.size(), columns.size()));
}

Schema view_columns(const ViewDef& view, const BindContext& context) {
  Schema columns = columns_of(*view.query, context);
  for (std::size_t i = 0; i < std::min(columns.size(), view.columns.size()); ++i)
    columns.columns[i].name = view.columns[i];
  return columns;
}

const ViewDef* find_view(const Catalog& catalog, const ast::Identifier& name) {
  const auto found = catalog.views.find(name.text);
  return found != catalog.views.end() && catalog.find(name.text) == nullptr ? found->second.get() : nullptr;
}

std::vector<ast::Identifier> column_names(const ViewDef& view, Span span) {
  std::vector<ast::Identifier> names;
  for (const auto& column : view.columns) names.push_back({.text = column, .quoted = true, .span = span});
  return names;
}

std::vector<std::string> views_over(const Catalog& catalog, const std::string& name) {
  std::vector<std::string> found;
  const auto add = [&](const std::string& read, const auto& self) -> void {
    for (const auto& [view, def] : catalog.views) {
      if (std::ranges::find(def->reads, read) == def->reads.end() || std::ranges::find(found, view) != found.end())
        continue;
      found.push_back(view);
      self(view, self);
    }
  };
  add(name, add);
  return found;
}

}  // namespace millrace::inline planner
