#include "planner/bind/elements.h"

#include <fmt/format.h>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/source_checks.h"

namespace millrace::inline planner {
namespace {

std::vector<ScopeColumn> columns_of(const ast::FromSource& source, const Type& list, const std::string& alias) {
  std::vector<ScopeColumn> columns;
  const auto add = [&](std::string name, Type type) {
    columns.push_back({.name = std::move(name), .type = std::move(type), .position = columns.size()});
  };
  if (list.kind() == TypeKind::array) {
    add(alias, list.element());
  } else {
    add("KEY", list.key());
    add("VALUE", list.value());
  }
  if (source.ordinality) add("ORDINALITY", Type::bigint());
  if (source.columns.empty()) return columns;
  if (source.columns.size() != columns.size())
    throw SqlError(
        Code::invalid_statement, source.name.span,
        fmt::format("{} names {} columns, but UNNEST gives {}.", alias, source.columns.size(), columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].name = source.columns[i].text;
  return columns;
}

}  // namespace

ScopeSource open_elements(const ast::FromSource& source, const Scope& left, const BindContext& context) {
  const ast::ExprPtr list = qualify(source.unnest, left);
  check_resolved(list, left, "UNNEST");
  ExprBinder binder(context, left);
  const Type type = bind_item(binder, list, left)->type;
  if (type.kind() != TypeKind::array && type.kind() != TypeKind::map)
    throw SqlError(Code::type_mismatch, source.unnest->span,
                   fmt::format("UNNEST takes an ARRAY or a MAP, not {}.", type.to_string()));
  auto def = std::make_shared<SourceDef>();
  def->name = source.alias ? source.alias->text : "UNNEST";
  ScopeSource opened{.alias = def->name, .columns = {}, .pseudo_positions = {}};
  opened.columns = columns_of(source, type, def->name);
  for (std::size_t i = 0; i < opened.columns.size(); ++i) opened.order.push_back(i);
  if (!left.sources.empty()) {
    def->kind = left.sources.front().def->kind;
    def->partitions = left.sources.front().def->partitions;
    def->value_format = left.sources.front().def->value_format;
  }
  def->schema = element_columns(opened);
  check_duplicate_columns(def->schema, source.name.span);
  opened.def = def.get();
  opened.made = std::move(def);
  opened.list = list;
  return opened;
}

ast::ExprPtr condition_of_elements(const ast::JoinedSource& join) {
  const Span span = join.source.name.span;
  if (join.within) throw SqlError(Code::invalid_join, join.within->span, "UNNEST has no times: leave WITHIN out.");
  if (join.kind == ast::JoinKind::right || join.kind == ast::JoinKind::full)
    throw SqlError(Code::invalid_join, span, "A join with UNNEST is CROSS, INNER or LEFT.");
  const auto* constant = join.on ? join.on->as<ast::BooleanLiteral>() : nullptr;
  if (!join.on || (constant && constant->value)) return nullptr;
  if (join.kind == ast::JoinKind::left)
    throw SqlError(Code::not_supported, join.on->span, "LEFT JOIN UNNEST is ON TRUE only.")
        .hint("a condition may stand in WHERE, or FILTER the list");
  return join.on;
}

Schema element_columns(const ScopeSource& source) {
  Schema schema;
  for (const ScopeColumn& column : source.columns) schema.columns.push_back({.name = column.name, .type = column.type});
  return schema;
}

}  // namespace millrace::inline planner
