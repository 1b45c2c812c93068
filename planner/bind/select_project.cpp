#include "planner/bind/select_project.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/select_items.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {

ProjectItem value_item(ExprBinder& binder, const SelectInput& input, const Scope& scope, const OutputItem& item) {
  auto bound = bind_item(binder, item.expr, scope);
  if (bound->type.is_null()) {
    if (input.persistent()) {
      throw SqlError(
          Code::type_mismatch, item.expr->span,
          "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).");
    }
    bound = make_literal(Value(), Type::string());
  }
  return {ColumnDef{.name = item.name, .type = bound->type}, bound};
}

void Projection::find_keys() {
  for (const auto& key : keys_) {
    std::vector<std::size_t> found;
    for (const auto& candidate : key.candidates) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (ast::equal(*items_[i].expr, *candidate)) found.push_back(i);
      }
      if (!found.empty()) break;
    }
    matches_.push_back(std::move(found));
  }
}

void Projection::bind(ExprBinder& binder) {
  find_keys();
  std::vector<ProjectItem> values;
  std::vector<std::size_t> value_items;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const bool key =
        std::ranges::any_of(matches_, [&](const auto& found) { return !found.empty() && found.front() == i; });
    if (key) continue;
    values.push_back(value_item(binder, input_, scope_, items_[i]));
    value_items.push_back(i);
  }
  if (on_columns) {
    Schema shown;
    for (std::size_t k = 0; k < keys_.size(); ++k)
      for (const std::size_t i : matches_[k]) shown.columns.push_back({.name = items_[i].name, .type = keys_[k].type});
    for (const ProjectItem& item : values) shown.columns.push_back(item.column);
    on_columns(shown);
  }
  const bool free =
      setting_flag(input_.context.properties, "ksql.new.query.planner.enabled") && plan_.origin == KeyOrigin::source;
  if (input_.persistent()) check_keys(free && plan_.node->kind == RelationKind::stream);
  arrange(std::move(values), value_items, free);
}

void Projection::arrange(std::vector<ProjectItem> values, const std::vector<std::size_t>& value_items,
                         bool as_selected) {
  std::vector<std::size_t> key_order;
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    if (!matches_[k].empty() || input_.inner || plan_.origin == KeyOrigin::single) key_order.push_back(k);
  }
  if (as_selected) std::ranges::stable_sort(key_order, {}, [&](std::size_t k) { return matches_[k].front(); });
  order_.assign(items_.size(), 0);
  for (const auto k : key_order) {
    if (matches_[k].empty()) {
      output_.push_back(hidden_key(keys_[k]));
      continue;
    }
    const auto& item = items_[matches_[k].front()];
    order_[matches_[k].front()] = output_.size();
    output_.push_back({ColumnDef{.name = item.name, .type = keys_[k].type, .role = ColumnRole::key},
                       make_column(keys_[k].position, keys_[k].type, display(item.expr, scope_))});
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    order_[value_items[i]] = output_.size();
    output_.push_back(std::move(values[i]));
  }
}

/// A key that the query does not show goes with its rows all the same, under a name that no other column has.
ProjectItem Projection::hidden_key(const KeySlot& key) const {
  const std::string plain = plan_.node->schema.columns[key.position].name;
  const auto taken = [&](const std::string& name) {
    return std::ranges::any_of(items_, [&](const OutputItem& item) { return item.name == name; }) ||
           std::ranges::any_of(output_, [&](const ProjectItem& item) { return item.column.name == name; });
  };
  std::string name = plain;
  for (int i = 1; taken(name); ++i) name = fmt::format("{}_{}", plain, i);
  return {ColumnDef{.name = name, .type = key.type, .role = ColumnRole::key},
          make_column(key.position, key.type, name)};
}

NodePtr Projection::node() const {
  return make_node(ProjectNode{plan_.node, output_});
}

void Projection::check_keys(bool may_miss) const {
  if (plan_.origin == KeyOrigin::single) return;
  std::size_t key_items = 0;
  std::vector<std::size_t> missing;
  for (std::size_t k = 0; k < matches_.size(); ++k) {
    key_items += matches_[k].size();
    if (matches_[k].empty()) missing.push_back(k);
  }
  if (missing.empty() && key_items == items_.size() && keys_.size() == items_.size()) {
    throw SqlError(Code::invalid_key, input_.query.span, "The projection contains no value columns.");
  }
  if (!missing.empty() && !may_miss) fail_missing_keys(missing);
  for (std::size_t k = 0; k < matches_.size(); ++k) {
    if (matches_[k].size() > 1) fail_repeated_key(keys_[k], matches_[k]);
  }
}

void Projection::fail_missing_keys(const std::vector<std::size_t>& missing) const {
  const auto shown = [&](const ast::ExprPtr& expr) {
    const bool qualified = scope_.is_join() || plan_.origin == KeyOrigin::partitioning;
    return qualified ? ast::format(*expr) : display(expr, scope_);
  };
  if (plan_.origin == KeyOrigin::foreign_key) {
    std::vector<std::string> names;
    for (const auto k : missing)
      names.push_back("`" + keys_[k].candidates.front()->as<ast::ColumnRef>()->name.text + "`");
    const char* plural = missing.size() > 1 ? "s" : "";
    throw SqlError(
        Code::invalid_key, input_.query.span,
        fmt::format(
            "Primary key column{0} missing in projection. For foreign-key table-table joins, the projection must "
            "include all primary key columns from the left input table (`{1}`). Missing column{0}: {2}.",
            plural, scope_.sources[0].def->name, join_words(names, ", ")));
  }
  const bool only_missing = plan_.origin == KeyOrigin::grouping;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    if (only_missing && std::ranges::find(missing, k) == missing.end()) continue;
    for (const auto& candidate : keys_[k].candidates) names.push_back(shown(candidate));
  }
  const bool join = plan_.origin == KeyOrigin::join;
  const char* what = join                                      ? "join expression"
                     : plan_.origin == KeyOrigin::grouping     ? "grouping expression"
                     : plan_.origin == KeyOrigin::partitioning ? "partitioning expression"
                                                               : "key column";
  std::string message = fmt::format(
      "Key{} missing from projection (ie, SELECT). See https://cnfl.io/2LV7ouS.\nThe query used to build `{}` must "
      "include the {}{} "
      "{} in its projection (eg, SELECT {}...).",
      missing.size() > 1 ? "s" : "", input_.sink, what, names.size() > 1 ? "s" : "",
      join_words(names, join ? " or " : " and "), join ? names.front() : join_words(names, ", "));
  if (join && !scope_.synthetic_keys.empty()) {
    message += fmt::format(
        "\n{} was added as a synthetic key column because the join criteria did not match any source column. This "
        "expression must be "
        "included in the projection and may be aliased. ",
        scope_.synthetic_keys.front().name);
  }
  throw SqlError(Code::invalid_key, input_.query.span, message);
}

void Projection::fail_repeated_key(const KeySlot& slot, const std::vector<std::size_t>& items) const {
  std::vector<std::string> names;
  for (const auto i : items) names.push_back(items_[i].name);
  std::string key = display(slot.candidates.front(), scope_);
  for (const auto& candidate : slot.candidates) {
    if (ast::equal(*candidate, *items_[items.front()].expr)) key = display(candidate, scope_);
  }
  const Span span = items_[items.back()].expr->span;
  if (plan_.origin == KeyOrigin::grouping) {
    for (auto& name : names) name = "`" + name + "`";
    throw SqlError(
        Code::invalid_key, span,
        fmt::format("The projection contains a key column more than once: {}.\nEach key column must only be in the "
                    "projection once. If you intended to copy the key into the value, then consider using the AS_VALUE "
                    "function to indicate which key reference should be copied.",
                    join_words(names, " and ")));
  }
  std::ranges::sort(names);
  throw SqlError(
      Code::invalid_key, span,
      fmt::format(
          "The projection contains a key column (`{}`) more than once, aliased as: {}.\nEach key column must only be "
          "in the projection once. If you intended to copy the key into the value, then consider using the "
          "AS_VALUE function to indicate which key reference should be copied.",
          key, join_words(names, " and ")));
}

}  // namespace millrace::inline planner
