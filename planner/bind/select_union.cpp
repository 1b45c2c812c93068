#include "planner/bind/select_union.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/coercion.h"

namespace millrace::inline planner {
namespace {

const ast::Query& branch_text(const ast::Query& query, std::size_t branch) {
  return branch == 0 ? query : *query.union_all[branch - 1];
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
  if (first.root->kind == RelationKind::table) {
    throw SqlError(Code::not_supported, branch_text(query, 1).span, "UNION ALL of tables is not supported yet.")
        .hint("join them, or unite the streams that they come from");
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
    types.push_back(common_type(list, query.union_all.front()->span));
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

}  // namespace

BoundSelect unite(std::vector<BoundSelect> branches, const ast::Query& query) {
  check_branches(branches, query);
  const std::vector<std::size_t> keys = common_key(branches);
  const std::vector<Type> types = common_types(branches, query);
  std::vector<std::size_t> places = keys;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (std::ranges::find(keys, i) == keys.end()) places.push_back(i);
  BoundSelect result;
  for (const BoundSelect& branch : branches) {
    NodePtr part = conform(branch, branches.front(), places, keys.size(), types);
    result.root = result.root ? make_node(UnionNode{result.root, part}) : part;
    for (const SourceDef* source : branch.sources)
      if (std::ranges::find(result.sources, source) == result.sources.end()) result.sources.push_back(source);
  }
  std::vector<ProjectItem> whole = column_items(result.root->schema, places.size());
  result.root = make_node(ProjectNode{result.root, std::move(whole)});
  result.order.resize(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) result.order[places[i]] = i;
  result.key_format = branches.front().key_format;
  result.null_key = keys.empty();
  result.rewritten = query;
  return result;
}

}  // namespace millrace::inline planner
