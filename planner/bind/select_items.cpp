#include "planner/bind/select_items.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {
namespace {

/// Expands the stars of one SELECT list.
class Stars {
 public:
  Stars(const SelectInput& input, const Scope& scope, const std::vector<ast::ExprPtr>& partition, ItemNames& names)
      : input_(input), scope_(scope), partition_(partition), names_(names) {}
  std::vector<OutputItem> expand();

 private:
  void expand_star(const ast::SelectStar& star);
  void add_key_first_star();
  void add_source_columns(const ScopeSource& source);
  void add_star_column(const ScopeSource& source, const std::string& name);
  bool is_shared(const ast::ExprPtr& written) const;
  void expand_struct_star(const ast::SelectStructStar& star);

  const SelectInput& input_;
  const Scope& scope_;
  const std::vector<ast::ExprPtr>& partition_;
  ItemNames& names_;
  std::vector<OutputItem> items_;
};

std::vector<OutputItem> Stars::expand() {
  for (const auto& item : input_.query.items) {
    if (const auto* single = std::get_if<ast::SelectExpr>(&item)) {
      auto expr = qualify(single->expr, scope_);
      std::string name = single->alias             ? single->alias->text
                         : is_shared(single->expr) ? single->expr->as<ast::ColumnRef>()->name.text
                                                   : names_.name(expr);
      items_.push_back({std::move(name), std::move(expr)});
    } else if (const auto* star = std::get_if<ast::SelectStar>(&item)) {
      expand_star(*star);
    } else {
      expand_struct_star(std::get<ast::SelectStructStar>(item));
    }
  }
  return std::move(items_);
}

void Stars::expand_star(const ast::SelectStar& star) {
  if (star.qualifier) {
    const auto* source = scope_.find_source(star.qualifier->text);
    if (!source) {
      throw SqlError(Code::unknown_source, star.span,
                     fmt::format("Failed to prepare statement: '{}' is not a valid stream/table name or alias.",
                                 star.qualifier->text));
    }
    if (!scope_.is_join() && !partition_.empty()) add_key_first_star();
    add_source_columns(*source);
    return;
  }
  for (const auto& key : scope_.synthetic_keys) {
    if (!partition_.empty()) break;
    items_.push_back(
        {key.name,
         make_ast(ast::ColumnRef{std::nullopt, {.text = key.name, .quoted = false, .span = star.span}}, star.span)});
  }
  if (!partition_.empty()) add_key_first_star();
  for (const auto& source : scope_.sources) add_source_columns(source);
}

/// PARTITION BY changes the key before the star is read: the new key stands first.
void Stars::add_key_first_star() {
  for (const auto& expr : partition_) {
    if (expr->as<ast::NullLiteral>()) continue;
    const auto* column = expr->as<ast::ColumnRef>();
    std::string name = column && scope_.is_join() && column->qualifier
                           ? join_column_name(column->qualifier->text, column->name.text)
                           : names_.name(expr);
    items_.push_back({std::move(name), expr});
  }
}

/// A name that stands for the columns of several sources.
bool Stars::is_shared(const ast::ExprPtr& written) const {
  const auto* column = written->as<ast::ColumnRef>();
  return column && !column->qualifier && scope_.shared.contains(column->name.text);
}

void Stars::add_star_column(const ScopeSource& source, const std::string& name) {
  if (const SharedColumn* shared = scope_.find_shared(source.alias, name)) {
    if (shared->aliases.front() == source.alias) items_.push_back({name, shared->value});
    return;
  }
  auto expr = make_ast_column(source.alias, name, input_.query.span);
  if (among(partition_, expr)) return;
  items_.push_back({scope_.is_join() ? join_column_name(source.alias, name) : name, std::move(expr)});
}

void Stars::add_source_columns(const ScopeSource& source) {
  if (source.plan && partition_.empty()) {
    for (const auto index : source.order) add_star_column(source, source.columns[index].name);
    return;
  }
  const auto in_star = [&](const ScopeColumn& column) {
    const auto index = static_cast<std::size_t>(&column - source.columns.data());
    return !source.plan || std::ranges::find(source.order, index) != source.order.end();
  };
  const auto add_role = [&](ColumnRole role) {
    for (const auto& column : source.columns) {
      if (column.role == role && in_star(column)) add_star_column(source, column.name);
    }
  };
  const bool bounds = source.def->window && (scope_.is_join() || !input_.persistent());
  const bool moved = !partition_.empty();
  if (!moved) add_role(ColumnRole::key);
  if (bounds) {
    add_star_column(source, "WINDOWSTART");
    add_star_column(source, "WINDOWEND");
  }
  const bool headers_first = input_.pull && source.def->kind == RelationKind::table;
  if (headers_first) add_role(ColumnRole::header);
  add_role(ColumnRole::value);
  if (!headers_first) add_role(ColumnRole::header);
  if (!moved) return;
  if (scope_.is_join()) {
    for (const char* name : {"ROWTIME", "ROWPARTITION", "ROWOFFSET"}) add_star_column(source, name);
  }
  add_role(ColumnRole::key);
}

void Stars::expand_struct_star(const ast::SelectStructStar& star) {
  auto base = qualify(star.base, scope_);
  check_resolved(base, scope_, "SELECT");
  ExprBinder binder(input_.context, scope_);
  const auto bound = bind_item(binder, base, scope_);
  if (bound->type.kind() != TypeKind::structure) {
    throw SqlError(Code::type_mismatch, star.span,
                   fmt::format("Cannot expand {} with ->*: it is {}, not a STRUCT.", display(base, scope_),
                               bound->type.to_string()));
  }
  for (const auto& field : bound->type.fields()) {
    items_.push_back(
        {field.name,
         make_ast(ast::FieldAccess{base, {.text = field.name, .quoted = false, .span = star.span}}, star.span)});
  }
}

/// `C_12` -> (`C`, 12); `C` -> (`C`, 0).
std::pair<std::string, int> split_number(const std::string& name) {
  const auto bar = name.rfind('_');
  if (bar == std::string::npos || bar == 0 || bar + 1 == name.size() || name.size() - bar > 9) return {name, 0};
  if (name.find_first_not_of("0123456789", bar + 1) != std::string::npos) return {name, 0};
  return {name.substr(0, bar), std::stoi(name.substr(bar + 1))};
}

}  // namespace

ItemNames::ItemNames(const Scope& scope) : scope_(scope) {
  for (const auto& source : scope.sources) {
    for (const auto& column : source.columns) {
      if (column.name.starts_with("KSQL_COL_")) {
        const std::string digits = column.name.substr(9);
        const bool number =
            !digits.empty() && digits.size() < 9 && digits.find_first_not_of("0123456789") == std::string::npos;
        if (number) used_generated_.insert(std::stoi(digits));
      }
    }
  }
}

std::string ItemNames::column_name(const ast::ColumnRef& column) const {
  if (!scope_.is_join() || !column.qualifier) return column.name.text;
  const std::string& name = column.name.text;
  const auto owners = std::ranges::count_if(
      scope_.sources, [&](const ScopeSource& source) { return source.find(name) || source.find_pseudo(name); });
  return owners > 1 ? join_column_name(column.qualifier->text, name) : name;
}

std::string ItemNames::next_generated() {
  while (used_generated_.contains(next_generated_)) ++next_generated_;
  return fmt::format("KSQL_COL_{}", next_generated_++);
}

std::string ItemNames::field_name(const std::string& field) {
  const std::string base = split_number(field).first;
  const auto [known, fresh] = used_fields_.try_emplace(base);
  if (fresh) {
    for (const auto& source : scope_.sources) {
      for (const auto& column : source.columns) {
        const auto [name, number] = split_number(column.name);
        if (name == base) known->second.insert(number);
      }
    }
  }
  int number = 0;
  while (known->second.contains(number)) ++number;
  known->second.insert(number);
  return number == 0 ? base : fmt::format("{}_{}", base, number);
}

std::string ItemNames::name(const ast::ExprPtr& expr) {
  if (const auto* column = expr->as<ast::ColumnRef>()) return column_name(*column);
  if (const auto* access = expr->as<ast::FieldAccess>()) return field_name(access->field.text);
  return next_generated();
}

std::vector<OutputItem> expand_items(const SelectInput& input, const Scope& scope,
                                     const std::vector<ast::ExprPtr>& partition, ItemNames& names) {
  return Stars(input, scope, partition, names).expand();
}

void check_item_names(const SelectInput& input, const Scope& scope, const Clauses& clauses) {
  if (!input.persistent()) return;
  for (const auto& item : clauses.items) {
    if (!pseudo_column_of(item.name)) continue;
    const auto* column = item.expr->as<ast::ColumnRef>();
    const bool own_name = column && column->name.text == item.name;
    if (own_name && among(clauses.partition, item.expr)) continue;
    if (own_name && !scope.has_column(item.name)) {
      throw SqlError(
          Code::invalid_schema, item.expr->span,
          fmt::format("Reserved column name in select: `{}`. Please remove or alias the column.", item.name));
    }
    throw SqlError(
        Code::invalid_schema, item.expr->span,
        fmt::format("`{}` is a reserved column name. You cannot use it as an alias for a column.", item.name));
  }
}

}  // namespace millrace::inline planner
