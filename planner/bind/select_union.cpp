#include "planner/bind/select_union.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/coercion.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

const ast::Query& branch_text(const ast::Query& query, std::size_t branch) {
  return branch == 0 ? query : *query.branches[branch - 1];
}

void check_branches(const std::vector<BoundSelect>& branches, const ast::Query& query) {
  const BoundSelect& first = branches.front();
  for (std::size_t b = 1; b < branches.size(); ++b) {
    const Span span = branch_text(query, b).span;
    if (branches[b].order.size() != first.order.size()) {
      throw SqlError(Code::invalid_statement, span,
                     fmt::format("The branches of UNION ALL differ in columns: {} and {}.", first.order.size(),
                                 branches[b].order.size()));
    }
    if (branches[b].root->kind != first.root->kind) {
      throw SqlError(Code::invalid_statement, span,
                     "UNION ALL of a stream and a table: wrap the table in CHANGES(...).");
    }
  }
}

/// The rows of tables are told apart by their keys, which are alike, and by their branch.
void check_tables(const std::vector<BoundSelect>& branches, const ast::Query& query) {
  const std::vector<ColumnDef> first = branches.front().root->schema.keys();
  for (std::size_t b = 0; b < branches.size(); ++b) {
    const Span span = branch_text(query, b).span;
    if (branches[b].root->window)
      throw SqlError(Code::not_supported, span, "UNION ALL of tables with windows is not supported yet.")
          .hint("PARTITION BY the key and WINDOWSTART makes a table without windows");
    const std::vector<ColumnDef> keys = branches[b].root->schema.keys();
    if (!std::ranges::equal(keys, first, {}, &ColumnDef::type, &ColumnDef::type))
      throw SqlError(Code::invalid_statement, span, "The branches of UNION ALL of tables differ in their primary keys.")
          .hint("CHANGES(...) makes streams of them");
  }
}

/// Which of the columns, by place in the SELECT list, are the key of every branch; nothing: there is no common one.
std::vector<std::size_t> common_key(const std::vector<BoundSelect>& branches) {
  std::vector<std::size_t> common;
  for (std::size_t b = 0; b < branches.size(); ++b) {
    const BoundSelect& branch = branches[b];
    const Schema& schema = branch.root->schema;
    std::vector<std::size_t> places;
    for (std::size_t k = 0; k < schema.key_count(); ++k) {
      const auto shown = std::ranges::find(branch.order, k);
      if (shown == branch.order.end() || branch.root->window) return {};
      places.push_back(static_cast<std::size_t>(shown - branch.order.begin()));
    }
    if (b > 0 && places != common) return {};
    for (std::size_t k = 0; k < places.size() && b > 0; ++k) {
      const Type& type = branches[0].root->schema.columns[branches[0].order[places[k]]].type;
      if (!(schema.columns[k].type == type)) return {};
    }
    common = std::move(places);
  }
  return common;
}

/// The type of each column: one that holds those of all branches.
std::vector<Type> common_types(const std::vector<BoundSelect>& branches, const ast::Query& query) {
  std::vector<Type> types;
  for (std::size_t i = 0; i < branches.front().order.size(); ++i) {
    std::vector<ListItem> list;
    for (const BoundSelect& branch : branches) {
      const ColumnDef& column = branch.root->schema.columns[branch.order[i]];
      list.push_back({make_column(branch.order[i], column.type, column.name), column.name});
    }
    types.push_back(common_type(list, query.branches.front()->span));
  }
  return types;
}

/// The rows of a branch with the columns that all branches have: `places` of the SELECT list, keys first.
NodePtr conform(const BoundSelect& branch, const BoundSelect& first, const std::vector<std::size_t>& places,
                std::size_t keys, const std::vector<Type>& types) {
  const Schema& shown = first.root->schema;
  NodePtr input = branch.root;
  if (keys == 0 && input->schema.key_count() > 0) input = make_node(RekeyNode{input, {}, NullKey::keep});
  ProjectNode project{input, {}};
  for (const std::size_t place : places) {
    const std::size_t at = branch.order[place];
    const ColumnDef& from = branch.root->schema.columns[at];
    const ColumnRole role = project.items.size() < keys ? ColumnRole::key : ColumnRole::value;
    project.items.push_back(
        {ColumnDef{.name = shown.columns[first.order[place]].name, .type = types[place], .role = role},
         coerce_element(make_column(at, from.type, from.name), types[place])});
  }
  return make_node(std::move(project));
}

std::string free_name(const std::string& wanted, const std::vector<ProjectItem>& items) {
  std::string name = wanted;
  const auto taken = [&] {
    return std::ranges::any_of(items, [&](const ProjectItem& item) { return item.column.name == name; });
  };
  for (int i = 1; taken(); ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

/// The columns of a union of tables: the keys of its rows, then the other columns that it shows.
struct TableColumns {
  std::vector<std::size_t> keys;   // by key column, where it stands in the SELECT list
  std::vector<std::size_t> order;  // of the SELECT list, in the result
  std::vector<std::size_t> values;
};
TableColumns table_columns(const std::vector<std::size_t>& common, std::size_t keys, std::size_t shown) {
  TableColumns columns{common, std::vector<std::size_t>(shown), {}};
  for (std::size_t k = 0; k < common.size(); ++k) columns.order[common[k]] = k;
  for (std::size_t i = 0; i < shown; ++i) {
    if (std::ranges::find(common, i) != common.end()) continue;
    columns.order[i] = keys + 1 + columns.values.size();
    columns.values.push_back(i);
  }
  return columns;
}

/// The rows of a table, with the number of the branch behind their key.
NodePtr as_branch(const BoundSelect& branch, const BoundSelect& first, int number, const TableColumns& columns,
                  const std::vector<Type>& types) {
  const Schema& shown = first.root->schema;
  const std::size_t keys = shown.key_count();
  RekeyNode rekey{branch.root, {}, NullKey::keep};
  ProjectNode project{nullptr, {}};
  std::vector<ProjectItem> values;
  for (const std::size_t place : columns.values) {
    const ColumnDef& from = branch.root->schema.columns[branch.order[place]];
    const std::string& name = shown.columns[first.order[place]].name;
    values.push_back({ColumnDef{.name = name, .type = types[place]},
                      coerce_element(make_column(keys + 1 + branch.order[place], from.type, from.name), types[place])});
  }
  for (std::size_t k = 0; k <= keys; ++k) {
    const bool last = k == keys;
    const bool seen = !last && !columns.keys.empty();
    const std::string wanted = last ? "BRANCH" : shown.columns[k].name;
    const Type type = last ? Type::integer() : shown.columns[k].type;
    ColumnDef column{
        .name = seen ? shown.columns[k].name : free_name(wanted, values), .type = type, .role = ColumnRole::key};
    rekey.keys.push_back({column, last ? make_literal(Value(std::int32_t{number}), type)
                                       : make_column(k, type, branch.root->schema.columns[k].name)});
    project.items.push_back({column, make_column(k, type, column.name)});
  }
  project.input = make_node(std::move(rekey));
  project.items.insert(project.items.end(), values.begin(), values.end());
  return make_node(std::move(project));
}

BoundSelect unite_tables(const std::vector<BoundSelect>& branches, const ast::Query& query, const std::string& sink) {
  check_tables(branches, query);
  const BoundSelect& first = branches.front();
  const std::size_t keys = first.root->schema.key_count();
  const std::vector<std::size_t> common = common_key(branches);
  if (common.empty() && !sink.empty())
    throw SqlError(Code::invalid_key, query.span,
                   fmt::format("Keys missing from projection (ie, SELECT).\nThe query used to build `{}` must include "
                               "the key columns of its branches at the same places.",
                               sink));
  const std::vector<Type> types = common_types(branches, query);
  const TableColumns columns = table_columns(common, keys, types.size());
  if (columns.values.empty() && !sink.empty())
    throw SqlError(Code::invalid_key, query.span, "The projection contains no value columns.");
  BoundSelect result;
  for (std::size_t b = 0; b < branches.size(); ++b) {
    NodePtr part = as_branch(branches[b], first, static_cast<int>(b) + 1, columns, types);
    result.root = result.root ? make_node(UnionNode{result.root, part}) : part;
  }
  result.order = columns.order;
  result.branch = keys;
  result.key_format = first.key_format;
  const FormatDef* def = find_format(result.key_format.name);
  if (def == nullptr || !refusal(*def, result.root->schema.keys()).empty()) result.key_format = object_format();
  return result;
}

BoundSelect unite_streams(const std::vector<BoundSelect>& branches, const ast::Query& query) {
  const std::vector<std::size_t> keys = common_key(branches);
  const std::vector<Type> types = common_types(branches, query);
  std::vector<std::size_t> places = keys;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (std::ranges::find(keys, i) == keys.end()) places.push_back(i);
  BoundSelect result;
  for (const BoundSelect& branch : branches) {
    NodePtr part = conform(branch, branches.front(), places, keys.size(), types);
    result.root = result.root ? make_node(UnionNode{result.root, part}) : part;
  }
  result.order.resize(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) result.order[places[i]] = i;
  result.key_format = branches.front().key_format;
  result.null_key = keys.empty();
  return result;
}

}  // namespace

BoundSelect unite(std::vector<BoundSelect> branches, const ast::Query& query, const std::string& sink) {
  check_branches(branches, query);
  const bool tables = branches.front().root->kind == RelationKind::table;
  BoundSelect result = tables ? unite_tables(branches, query, sink) : unite_streams(branches, query);
  for (const BoundSelect& branch : branches)
    for (const SourceDef* source : branch.sources)
      if (std::ranges::find(result.sources, source) == result.sources.end()) result.sources.push_back(source);
  std::vector<ProjectItem> whole = column_items(result.root->schema);
  result.root = make_node(ProjectNode{result.root, std::move(whole)});
  result.rewritten = query;
  return result;
}

}  // namespace millrace::inline planner
