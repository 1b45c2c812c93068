#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/formats.h"
#include "planner/bind/select_binder.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {

void SelectBinder::filter() {
  if (!where_) return;
  if (contains(where_, [&](const ast::Expression& e) { return is_call_of(e, FunctionKind::table); })) {
    throw SqlError(Code::invalid_aggregate, where_->span, "Table functions cannot be used in WHERE clauses.");
  }
  Scope scope = scope_;
  scope.window_aggregation = false;
  ExprBinder binder(context_, scope);
  auto predicate = bind_predicate(binder, where_, scope_, "WHERE");
  node_ = make_node(FilterNode{node_, std::move(predicate)});
}

/// Table functions become columns behind those of the input; the calls are found again by identity.
void SelectBinder::flat_map() {
  const std::function<void(const ast::ExprPtr&, bool, bool)> collect = [&](const ast::ExprPtr& expr, bool in_case,
                                                                           bool nested) {
    const bool call = is_call_of(*expr, FunctionKind::table);
    if (call && in_case) {
      throw SqlError(Code::invalid_aggregate, expr->span,
                     "Table functions cannot be used in CASE: " + display(expr, scope_));
    }
    if (call && nested) {
      throw SqlError(Code::invalid_aggregate, expr->span, "Table functions cannot be nested: " + display(expr, scope_));
    }
    if (call) table_calls_.push_back(expr);
    const bool case_below = in_case || expr->as<ast::Case>() != nullptr;
    for_each_child(*expr, [&](const ast::ExprPtr& child) { collect(child, case_below, nested || call); });
  };
  for (const auto& item : items_) collect(item.expr, false, false);
  if (table_calls_.empty()) return;
  const Span span = table_calls_.front()->span;
  if (node_->kind == RelationKind::table) {
    throw SqlError(Code::invalid_aggregate, span, "Table source is not supported with table functions");
  }
  if (aggregated_) throw SqlError(Code::invalid_aggregate, span, "Table functions cannot be used with aggregations.");
  ExprBinder binder(context_, scope_);
  FlatMapNode node{node_, {}};
  table_call_base_ = node_->schema.key_count() + node_->schema.values().size();
  for (const auto& expr : table_calls_) {
    const auto& call = *expr->as<ast::Call>();
    auto bound = binder.bind_call(call, expr->span);
    ColumnDef column{.name = fmt::format("KSQL_SYNTH_{}", node.calls.size()), .type = bound.type};
    node.calls.push_back({bound.function, bound.variant, std::move(bound.arguments), std::move(column)});
  }
  bound_table_calls_ = node.calls;
  node_ = make_node(std::move(node));
  const std::string first = bound_table_calls_.front().column.name;
  table_call_base_ = *node_->schema.find(first);
  for (auto& source : scope_.sources) {  // header columns stand behind the new ones
    for (auto& column : source.columns) {
      if (column.role == ColumnRole::header && !scope_.is_join()) column.position = *node_->schema.find(column.name);
    }
  }
}

void SelectBinder::check_partition() const {
  const Span span = query_.partition_by->span;
  if (partition_.empty())
    throw SqlError(Code::invalid_statement, span, "PARTITION BY requires at least one expression");
  const bool null =
      std::ranges::any_of(partition_, [](const ast::ExprPtr& e) { return e->as<ast::NullLiteral>() != nullptr; });
  if (null && partition_.size() > 1) {
    throw SqlError(Code::invalid_statement, span, "Cannot PARTITION BY multiple columns including NULL");
  }
  for (const auto& expr : partition_) {
    if (contains(expr, [&](const ast::Expression& e) { return is_call_of(e, FunctionKind::table); })) {
      throw SqlError(Code::invalid_aggregate, expr->span, "Table functions cannot be used in PARTITION BY clauses.");
    }
    if (contains(expr, [&](const ast::Expression& e) { return is_call_of(e, FunctionKind::aggregate); })) {
      throw SqlError(Code::invalid_aggregate, expr->span, "PARTITION BY does not support aggregate functions.");
    }
  }
}

bool SelectBinder::is_current_key(const std::vector<ast::ExprPtr>& exprs) const {
  if (exprs.size() != 1 || keys_.size() != 1 || keys_[0].candidates.empty()) return false;
  return ast::equal(*exprs[0], *keys_[0].candidates.front());
}

std::string SelectBinder::key_name(const ast::ExprPtr& expr) {
  const auto item = std::ranges::find_if(items_, [&](const OutputItem& i) { return ast::equal(*i.expr, *expr); });
  return item == items_.end() ? item_name(expr) : item->name;
}

void SelectBinder::rekey(const std::vector<ast::ExprPtr>& exprs, NullKey null_key) {
  if (node_->window && (persistent() || query_.partition_by)) {
    throw SqlError(Code::invalid_key, query_.span,
                   "Implicit repartitioning of windowed sources is not supported. See "
                   "https://github.com/confluentinc/ksql/issues/4385.");
  }
  ExprBinder binder(context_, scope_);
  RekeyNode node{node_, {}, null_key};
  keys_.clear();
  for (const auto& expr : exprs) {
    auto bound = bind_item(binder, expr, scope_);
    ColumnDef column{.name = key_name(expr), .type = bound->type, .role = ColumnRole::key};
    check_no_map_key({column}, expr->span);
    keys_.push_back({keys_.size(), bound->type, {expr}});
    node.keys.push_back({std::move(column), std::move(bound)});
  }
  node_ = make_node(std::move(node));
  scope_.shift(exprs.size());
  table_call_base_ += exprs.size();
}

void SelectBinder::partition() {
  if (!query_.partition_by) return;
  if (query_.window)
    throw SqlError(Code::invalid_window, query_.window->span, "WINDOW clause requires a GROUP BY clause.");
  check_partition();
  if (node_->kind == RelationKind::table) {
    if (is_current_key(partition_)) return;
    std::vector<std::string> wanted;
    for (const auto& expr : partition_) wanted.push_back(ast::format(*expr));
    throw SqlError(
        Code::invalid_key, query_.partition_by->span,
        fmt::format(
            "Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's "
            "key column {} instead of [{}]",
            keys_.empty() ? "" : ast::format(*keys_[0].candidates.front()), join_words(wanted, ", ")));
  }
  if (is_current_key(partition_)) {
    origin_ = KeyOrigin::partitioning;
    keys_[0].candidates = {partition_[0]};
    return;
  }
  const bool null = partition_.front()->as<ast::NullLiteral>() != nullptr;
  rekey(null ? std::vector<ast::ExprPtr>{} : partition_, NullKey::keep);
  origin_ = KeyOrigin::partitioning;
}

ProjectItem SelectBinder::value_item(ExprBinder& binder, const OutputItem& item) const {
  auto bound = bind_item(binder, item.expr, scope_);
  if (bound->type.is_null()) {
    if (persistent()) {
      throw SqlError(
          Code::type_mismatch, item.expr->span,
          "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).");
    }
    bound = make_literal(Value(), Type::string());
  }
  return {ColumnDef{.name = item.name, .type = bound->type}, bound};
}

void SelectBinder::project(ExprBinder& binder) {
  std::vector<std::vector<std::size_t>> matches;  // per key: the items that show it
  for (const auto& key : keys_) {
    std::vector<std::size_t> found;
    for (const auto& candidate : key.candidates) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (ast::equal(*items_[i].expr, *candidate)) found.push_back(i);
      }
      if (!found.empty()) break;
    }
    matches.push_back(std::move(found));
  }
  std::vector<ProjectItem> values;
  std::vector<std::size_t> value_items;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const bool key =
        std::ranges::any_of(matches, [&](const auto& found) { return !found.empty() && found.front() == i; });
    if (key) continue;
    values.push_back(value_item(binder, items_[i]));
    value_items.push_back(i);
  }
  const bool free_keys = find_flag(context_.properties, "ksql.new.query.planner.enabled").value_or(false) &&
                         origin_ == KeyOrigin::source && node_->kind == RelationKind::stream;
  if (on_projection) {
    Schema shown;
    for (std::size_t k = 0; k < keys_.size(); ++k)
      for (const std::size_t i : matches[k]) shown.columns.push_back({.name = items_[i].name, .type = keys_[k].type});
    for (const ProjectItem& item : values) shown.columns.push_back(item.column);
    on_projection(shown);
  }
  if (persistent()) check_keys(matches, free_keys);
  std::vector<std::size_t> key_order;
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    if (!matches[k].empty()) key_order.push_back(k);
  }
  if (find_flag(context_.properties, "ksql.new.query.planner.enabled").value_or(false) &&
      origin_ == KeyOrigin::source) {
    std::ranges::stable_sort(key_order, {}, [&](std::size_t k) { return matches[k].front(); });
  }
  order_.assign(items_.size(), 0);
  output_.clear();
  for (const auto k : key_order) {
    const auto& item = items_[matches[k].front()];
    order_[matches[k].front()] = output_.size();
    output_.push_back({ColumnDef{.name = item.name, .type = keys_[k].type, .role = ColumnRole::key},
                       make_column(keys_[k].position, keys_[k].type, display(item.expr, scope_))});
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    order_[value_items[i]] = output_.size();
    output_.push_back(std::move(values[i]));
  }
}

void SelectBinder::check_keys(const std::vector<std::vector<std::size_t>>& matches, bool may_miss) const {
  std::size_t key_items = 0;
  std::vector<std::size_t> missing;
  for (std::size_t k = 0; k < matches.size(); ++k) {
    key_items += matches[k].size();
    if (matches[k].empty()) missing.push_back(k);
  }
  if (missing.empty() && key_items == items_.size() && keys_.size() == items_.size()) {
    throw SqlError(Code::invalid_key, query_.span, "The projection contains no value columns.");
  }
  if (!missing.empty() && !may_miss) fail_missing_keys(missing);
  for (std::size_t k = 0; k < matches.size(); ++k) {
    if (matches[k].size() > 1) fail_repeated_key(keys_[k], matches[k]);
  }
}

void SelectBinder::fail_missing_keys(const std::vector<std::size_t>& missing) const {
  const auto shown = [&](const ast::ExprPtr& expr) {
    const bool qualified = scope_.is_join() || origin_ == KeyOrigin::partitioning;
    return qualified ? ast::format(*expr) : display(expr, scope_);
  };
  if (origin_ == KeyOrigin::foreign_key) {
    std::vector<std::string> names;
    for (const auto k : missing)
      names.push_back("`" + keys_[k].candidates.front()->as<ast::ColumnRef>()->name.text + "`");
    const char* plural = missing.size() > 1 ? "s" : "";
    throw SqlError(
        Code::invalid_key, query_.span,
        fmt::format(
            "Primary key column{0} missing in projection. For foreign-key table-table joins, the projection must "
            "include all primary key columns from the left input table (`{1}`). Missing column{0}: {2}.",
            plural, scope_.sources[0].def->name, join_words(names, ", ")));
  }
  const bool only_missing = origin_ == KeyOrigin::grouping;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    if (only_missing && std::ranges::find(missing, k) == missing.end()) continue;
    for (const auto& candidate : keys_[k].candidates) names.push_back(shown(candidate));
  }
  const bool join = origin_ == KeyOrigin::join;
  const char* what = join                                 ? "join expression"
                     : origin_ == KeyOrigin::grouping     ? "grouping expression"
                     : origin_ == KeyOrigin::partitioning ? "partitioning expression"
                                                          : "key column";
  std::string message = fmt::format(
      "Key{} missing from projection (ie, SELECT). See https://cnfl.io/2LV7ouS.\nThe query used to build `{}` must "
      "include the {}{} "
      "{} in its projection (eg, SELECT {}...).",
      missing.size() > 1 ? "s" : "", sink_, what, names.size() > 1 ? "s" : "",
      join_words(names, join ? " or " : " and "), join ? names.front() : join_words(names, ", "));
  if (join && scope_.synthetic_key) {
    message += fmt::format(
        "\n{} was added as a synthetic key column because the join criteria did not match any source column. This "
        "expression must be "
        "included in the projection and may be aliased. ",
        scope_.synthetic_key->name);
  }
  throw SqlError(Code::invalid_key, query_.span, message);
}

void SelectBinder::fail_repeated_key(const KeySlot& slot, const std::vector<std::size_t>& items) const {
  std::vector<std::string> names;
  for (const auto i : items) names.push_back(items_[i].name);
  std::string key = display(slot.candidates.front(), scope_);
  for (const auto& candidate : slot.candidates) {
    if (ast::equal(*candidate, *items_[items.front()].expr)) key = display(candidate, scope_);
  }
  const Span span = items_[items.back()].expr->span;
  if (origin_ == KeyOrigin::grouping) {
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
