#include "planner/bind/select_relations.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/dialect.h"
#include "planner/bind/elements.h"
#include "planner/bind/from_windows.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_plan.h"
#include "planner/bind/source_checks.h"
#include "planner/bind/views.h"
#include "planner/bind/windowed_tables.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

void check_source_names(const SelectInput& input, const Scope& scope) {
  const auto& sources = scope.sources;
  for (std::size_t i = 1; i < sources.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool same = !sources[i].plan && !sources[j].plan && sources[i].def->name == sources[j].def->name;
      if (same && !lifts(Lifted::any_join, input.context.properties)) {
        const Span span = input.query.from.joins[i - 1].source.name.span;
        if (sources.size() == 2) {
          throw SqlError(
              Code::invalid_join, span,
              fmt::format("Can not join '{0}' to '{0}': self joins are not yet supported.", sources[i].def->name));
        }
        throw SqlError(Code::invalid_join, span,
                       fmt::format("N-way joins do not support multiple occurrences of the same source. Source: '{}'",
                                   sources[i].def->name));
      }
      if (sources[i].alias == sources[j].alias) {
        throw SqlError(
            Code::invalid_join, input.query.from.joins[i - 1].span,
            same ? fmt::format("{} is used twice: give each occurrence its own alias.", sources[i].alias)
                 : fmt::format("Two sources of the query are called {}: give one of them an alias.", sources[i].alias));
      }
    }
  }
}

void require_table(const ast::FromSource& source, const SourceDef& def, const char* word) {
  if (def.kind != RelationKind::stream && !source.changes) return;
  throw SqlError(Code::invalid_join, source.name.span,
                 fmt::format("{} needs a table: {} is a stream.", word, def.name));
}

/// What a table right of a JOIN is read for: its versions, or not before it has been read.
void take_reading(const ast::FromSource& source, ScopeSource& opened) {
  opened.versions = source.as_of != nullptr;
  opened.ready = source.reading == ast::Reading::ready;
  if (opened.versions) return check_versions(source, *opened.def);
  if (opened.ready) require_table(source, *opened.def, "READY");
}

/// Whether a stream meets all of a table: BROADCAST stands there, or the table is declared so and the dialect lets it.
bool reads_whole(const SelectInput& input, std::size_t index, const Scope& scope) {
  // Tables take back what they gave, wherever that is.
  if (index == 0 || scope.sources.front().def->kind == RelationKind::table) return false;
  const ast::JoinedSource& clause = input.query.from.joins[index - 1];
  if (clause.source.reading == ast::Reading::broadcast) return true;
  const SourceDef& def = *scope.sources[index].def;
  const bool fits = clause.kind == ast::JoinKind::inner || clause.kind == ast::JoinKind::left;
  return def.broadcast && fits && !clause.within && !clause.source.changes &&
         lifts(Lifted::any_join, input.context.properties);
}

/// Names of columns that are given behind the name of a query.
void rename_columns(const std::vector<ast::Identifier>& names, ScopeSource& source, Span span) {
  if (names.empty()) return;
  if (names.size() != source.order.size()) {
    throw SqlError(
        Code::invalid_statement, span,
        fmt::format("{} names {} columns, but its query gives {}.", source.alias, names.size(), source.order.size()));
  }
  for (std::size_t i = 0; i < names.size(); ++i) source.columns[source.order[i]].name = names[i].text;
}

/// What a query gives, as a source.
ScopeSource open_query(const BoundSelect& select, const std::string& alias, const std::vector<ast::Identifier>& names,
                       Span span) {
  auto def = std::make_shared<SourceDef>();
  const SourceDef& leftmost = *select.sources.front();
  def->name = alias;
  def->kind = select.root->kind;
  def->schema = select.root->schema;
  def->window = select.root->window;
  def->key_format = select.key_format;
  if (select.null_key) def->key_format = empty_format();
  def->value_format = leftmost.value_format;
  def->partitions = leftmost.partitions;
  def->replicas = leftmost.replicas;
  ScopeSource source{.alias = alias, .columns = {}, .pseudo_positions = {}};
  for (std::size_t i = 0; i < def->schema.size(); ++i) {
    const ColumnDef& column = def->schema.columns[i];
    const bool hidden = std::ranges::find(select.order, i) == select.order.end() && select.branch != i;
    source.columns.push_back({column.name, column.type, column.role, i, hidden});
  }
  source.def = def.get();
  source.made = std::move(def);
  source.plan = select.root;
  source.order = select.order;
  rename_columns(names, source, span);
  Schema shown;
  for (const auto& column : source.columns)
    if (!column.hidden) shown.columns.push_back({.name = column.name, .type = column.type});
  check_duplicate_columns(shown, span);
  return source;
}

ScopeSource open_source(const SelectInput& input, const ast::FromSource& from) {
  const SourceDef& def = require_source(input.context.catalog, from.name);
  const bool takes = lifts(Lifted::windowed_tables, input.context.properties);
  if (input.kept() && !takes && def.kind == RelationKind::table && def.window) {
    throw SqlError(Code::invalid_statement, from.name.span,
                   "KSQL does not support persistent queries on windowed tables.");
  }
  ScopeSource opened{.alias = from.visible_name().text, .def = &def, .columns = {}, .pseudo_positions = {}};
  for (std::size_t i = 0; i < def.schema.size(); ++i) {
    const auto& column = def.schema.columns[i];
    opened.columns.push_back({column.name, column.type, column.role, i});
  }
  return opened;
}

/// EMIT FINAL stands around a table with windows: it gives its final rows.
bool closes(const SelectInput& input, const ScopeSource& opened) {
  return input.final() && !opened.plan && opened.def->kind == RelationKind::table && opened.def->window &&
         lifts(Lifted::windowed_tables, input.context.properties);
}
ScopeSource close_windows(ScopeSource table) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) table.order.push_back(i);
  table.plan = make_node(CloseWindowsNode{make_leaf(table)});
  auto def = std::make_shared<SourceDef>(*table.def);
  def->kind = RelationKind::stream;
  table.def = def.get();
  table.made = std::move(def);
  return table;
}

/// The changes of a table, as a stream. What happened is a column that no star takes.
ScopeSource open_changes(ScopeSource table, Span span) {
  if (table.def->kind != RelationKind::table) {
    throw SqlError(Code::invalid_statement, span,
                   fmt::format("CHANGES takes a table, but {} is a stream.", table.alias));
  }
  if (!table.plan) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) table.order.push_back(i);
  }
  table.plan = make_node(ChangesNode{make_leaf(table)});
  auto def = std::make_shared<SourceDef>(*table.def);
  def->kind = RelationKind::stream;
  def->schema = table.plan->schema;
  table.columns.push_back(
      {std::string(ChangesNode::kRowKind), Type::string(), ColumnRole::value, table.columns.size()});
  table.def = def.get();
  table.made = std::move(def);
  return table;
}

}  // namespace

void check_reading(const ast::FromSource& source, bool first, bool plain) {
  const auto refuse = [&](std::string_view what, std::string_view instead) {
    throw SqlError(Code::not_supported, source.name.span, fmt::format("{} is not supported yet.", what))
        .hint(std::string(instead));
  };
  if (!source.columns.empty() && plain)
    refuse("A list of column names behind a stream or table", "rename them in a subquery");
  const char* word = source.as_of                                ? "FOR SYSTEM_TIME AS OF"
                     : source.reading == ast::Reading::ready     ? "READY"
                     : source.reading == ast::Reading::broadcast ? "BROADCAST"
                                                                 : nullptr;
  if (word == nullptr) return;
  if (first)
    throw SqlError(Code::invalid_join, source.name.span, fmt::format("{} stands right of a JOIN only.", word))
        .hint("begin FROM with the stream, and join the table with it");
  if (!plain && source.reading != ast::Reading::broadcast)
    throw SqlError(Code::not_supported, source.name.span, fmt::format("{} of a query is not supported.", word))
        .hint("it takes a table that is there; create one from the query");
}

void check_versions(const ast::FromSource& source, const SourceDef& def) {
  require_table(source, def, "FOR SYSTEM_TIME AS OF");
  if (def.history_ms) return;
  throw SqlError(Code::invalid_join, source.name.span,
                 fmt::format("{} keeps no versions. Add HISTORY='...' to its WITH clause.", def.name))
      .hint(def.from_query ? "CREATE TABLE over its topic may have HISTORY; CREATE TABLE AS has none"
                           : "HISTORY='1 DAY' keeps what its rows were for a day");
}

NamedQueries::NamedQueries(const ast::Query& query, const BindContext& context, const NamedQueries* outer,
                           bool within_final)
    : NamedRelations(outer) {
  bind_all(query, context.catalog,
           [&](const ast::Query& named) { return bind_inner(named, context, this, within_final); });
}

Scope open_sources(const SelectInput& input, std::vector<const SourceDef*>& reads) {
  Scope scope;
  scope.functions = &input.context.functions;
  std::vector<const ast::FromSource*> from{&input.query.from.first};
  for (const auto& join : input.query.from.joins) from.push_back(&join.source);
  for (const auto* source : from) {
    if (source->unnest) {
      scope.sources.push_back(open_elements(*source, scope, input.context));
      continue;
    }
    const std::string alias = source->alias ? source->alias->text : source->query ? "SUBQUERY" : source->name.text;
    const auto* named = input.named && !source->query ? input.named->find(source->name.text) : nullptr;
    const auto add = [&](const SourceDef* def) {
      if (std::ranges::find(reads, def) == reads.end()) reads.push_back(def);
    };
    const auto place = [&](ScopeSource opened) {
      if (source->window) opened = in_windows(input, std::move(opened), *source->window);
      if (source->changes) opened = open_changes(std::move(opened), source->name.span);
      if (closes(input, opened)) opened = close_windows(std::move(opened));
      scope.sources.push_back(std::move(opened));
    };
    const ViewDef* view = source->query || named ? nullptr : find_view(input.context.catalog, source->name);
    check_reading(*source, source == from.front(), !source->query && !named && !view);
    if (view) {
      const BoundSelect select = bind_inner(*view->query, input.context, nullptr, input.final());
      place(open_query(select, alias,
                       source->columns.empty() ? column_names(*view, source->name.span) : source->columns,
                       source->name.span));
      std::ranges::for_each(select.sources, add);
      continue;
    }
    if (!source->query && !named) {
      ScopeSource opened = open_source(input, *source);
      add(opened.def);
      take_reading(*source, opened);
      place(std::move(opened));
      continue;
    }
    const BoundSelect select =
        named ? named->bound : bind_inner(*source->query, input.context, input.named, input.final());
    const bool own_names = !named || !source->columns.empty();
    place(open_query(select, alias, own_names ? source->columns : named->columns, source->name.span));
    std::ranges::for_each(select.sources, add);
  }
  for (std::size_t i = 0; i < scope.sources.size(); ++i) scope.sources[i].broadcast = reads_whole(input, i, scope);
  check_source_names(input, scope);
  open_windows(input, scope);
  return scope;
}

}  // namespace millrace::inline planner
