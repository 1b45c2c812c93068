#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/pull_lookups.h"
#include "planner/bind/pull_parameters.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_project.h"
#include "planner/bind/source_checks.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {
namespace {

/// Binds one pull query: rows of one source, no plan.
class PullBinder {
 public:
  PullBinder(const ast::Query& query, const BindContext& context, std::span<const Span> liftable)
      : query_(query), context_(context), liftable_(liftable), input_{query, context, "", true} {}
  BoundPull bind();

 private:
  void check_pull_clauses() const;
  void check_pull_columns() const;
  ExprPtr bind_pull_predicate();
  void check_key_literals(const ast::ExprPtr& expr) const;
  const ColumnDef* key_column(const ast::ExprPtr& expr) const;

  const ast::Query& query_;
  const BindContext& context_;
  const std::span<const Span> liftable_;
  SelectInput input_;
  Scope scope_;
  Clauses clauses_;
  PullParameters parameters_;
};

void PullBinder::check_pull_clauses() const {
  const auto refuse = [&](const char* clause, bool used, Span span) {
    if (!used) return;
    throw SqlError(Code::not_supported, span,
                   fmt::format("Pull queries don't support {} clauses.{}", clause, pull_help()));
  };
  refuse("JOIN", !query_.from.joins.empty(), query_.span);
  refuse("WINDOW", query_.window.has_value(), query_.window ? query_.window->span : query_.span);
  refuse("GROUP BY", query_.group_by.has_value(), query_.group_by ? query_.group_by->span : query_.span);
  refuse("PARTITION BY", query_.partition_by.has_value(),
         query_.partition_by ? query_.partition_by->span : query_.span);
  refuse("HAVING", query_.having != nullptr, query_.having ? query_.having->span : query_.span);
  if (query_.limit && *query_.limit < 0) {
    throw SqlError(Code::not_supported, query_.span,
                   "Pull queries don't support negative integers in the LIMIT clause." + pull_help());
  }
}

void PullBinder::check_pull_columns() const {
  const auto check = [&](const ast::ExprPtr& root, const char* clause) {
    contains(root, [&](const ast::Expression& expr) {
      const auto* column = expr.as<ast::ColumnRef>();
      const bool offset = column && (column->name.text == "ROWPARTITION" || column->name.text == "ROWOFFSET");
      if (offset && !scope_.has_column(column->name.text)) {
        throw SqlError(Code::not_supported, expr.span,
                       fmt::format("Pull queries don't support the following columns in {} clauses: `{}`.{}", clause,
                                   column->name.text, pull_help()));
      }
      return false;
    });
  };
  check(clauses_.where, "WHERE");
  for (const auto& item : clauses_.items) check(item.expr, "SELECT");
  const bool star = std::ranges::any_of(
      query_.items, [](const ast::SelectItem& item) { return std::holds_alternative<ast::SelectStar>(item); });
  if (star && query_.items.size() > 1) {
    throw SqlError(Code::not_supported, query_.span,
                   "Pull queries only support wildcards in the projects if they are the only expression");
  }
  if (clauses_.aggregated) {
    throw SqlError(Code::not_supported, query_.span, "Pull queries don't support aggregate functions." + pull_help());
  }
}

const ColumnDef* PullBinder::key_column(const ast::ExprPtr& expr) const {
  const auto* column = expr->as<ast::ColumnRef>();
  if (!column || !column->qualifier) return nullptr;
  const auto& schema = scope_.sources[0].def->schema;
  const auto index = schema.find(column->name.text);
  return index && schema.columns[*index].role == ColumnRole::key ? &schema.columns[*index] : nullptr;
}

/// Mistakes about key literals have words of their own.
void PullBinder::check_key_literals(const ast::ExprPtr& expr) const {
  contains(expr, [&](const ast::Expression& node) {
    const auto fail_null = [&](const ColumnDef& key) {
      throw SqlError(Code::type_mismatch, node.span,
                     fmt::format("Primary key columns can not be NULL: ({} = null)", key.name));
    };
    if (const auto* comparison = node.as<ast::Comparison>(); comparison && comparison->op == ast::CompareOp::equal) {
      const auto* key = key_column(comparison->left);
      if (key && comparison->right->as<ast::NullLiteral>()) fail_null(*key);
    }
    const auto* in = node.as<ast::In>();
    const auto* key = in ? key_column(in->value) : nullptr;
    if (!key) return false;
    for (const auto& item : in->items) {
      if (item->as<ast::NullLiteral>()) fail_null(*key);
      if (item->as<ast::StringLiteral>() && key->type.is_numeric()) {
        throw SqlError(Code::type_mismatch, item->span,
                       fmt::format("{} can not be converted to the type of the key column: {} {} KEY",
                                   ast::format(*item), key->name, key->type.to_string()));
      }
    }
    return false;
  });
}

ExprPtr PullBinder::bind_pull_predicate() {
  if (!clauses_.where) return nullptr;
  if (scope_.sources[0].def->kind == RelationKind::table) check_key_literals(clauses_.where);
  ExprBinder binder(context_, scope_);
  binder.intercept = [this](const ast::ExprPtr& expr) { return parameters_.find(*expr); };
  try {
    return bind_predicate(binder, clauses_.where, scope_, "WHERE");
  } catch (const CoercionError&) {
    throw;
  } catch (const SqlError& error) {
    const bool between =
        contains(clauses_.where, [](const ast::Expression& e) { return e.as<ast::Between>() != nullptr; });
    std::string message = error.what();
    const std::string prefix = "Error in WHERE expression: ";
    if (between && message.starts_with(prefix)) message = "Invalid expression: " + message.substr(prefix.size());
    throw SqlError(error.code(), error.span(),
                   fmt::format("{}\nStatement: {}", message, display(clauses_.where, scope_)), error.error_class())
        .hint(error.hint());
  }
}

void require_queryable(const SourceDef& source, Span span) {
  if (source.kind == RelationKind::stream || source.from_query || source.read_only) return;
  throw SqlError(
      Code::not_supported, span,
      fmt::format(
          "The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{0} AS "
          "SELECT * FROM {0}'.{1}",
          source.name, pull_help()));
}

/// A constant as a literal of `type`; null as PullSource::constant says.
ExprPtr constant_of(const ast::ExprPtr& expr, const Type& type, bool time, const BindContext& context,
                    const Scope& scope) {
  ExprBinder binder(context, scope);
  const auto bound = binder.bind(expr);
  const auto as_literal = [&](const Value& value) { return value.is_null() ? nullptr : make_literal(value, type); };
  const auto* literal = bound->as<LiteralExpr>();
  if (literal && time) {
    if (const auto* text = literal->value.get_if<std::string>()) {
      const auto millis = parse_partial_timestamp(*text);
      return millis ? as_literal(Value(*millis)) : nullptr;
    }
  }
  if (!is_constant(*bound) || !can_widen(bound->type, type)) return nullptr;
  return as_literal(literal && bound->type == type ? literal->value : context.evaluate(*cast_to(bound, type)));
}

PullSource make_pull_source(const SourceDef& def, const BindContext& context, const Scope& scope,
                            const PullParameters& parameters) {
  PullSource source{.def = def, .key_of = {}, .bound_of = {}, .constant = {}, .is_column = {}, .show = {}};
  source.is_column = [](const ast::ExprPtr& expr) { return expr->as<ast::ColumnRef>() != nullptr; };
  source.show = [&scope](const ast::ExprPtr& expr) { return display(expr, scope); };
  source.bound_of = [&def, &scope](const ast::ExprPtr& expr) -> std::optional<PseudoColumn> {
    const auto* column = expr->as<ast::ColumnRef>();
    if (!column || !def.window || scope.has_column(column->name.text)) return std::nullopt;
    const auto pseudo = pseudo_column_of(column->name.text);
    const bool bound = pseudo == PseudoColumn::window_start || pseudo == PseudoColumn::window_end;
    return bound ? pseudo : std::nullopt;
  };
  source.constant = [&](const ast::ExprPtr& expr, const Type& type, bool time) {
    if (ExprPtr parameter = parameters.find(*expr)) return parameter;
    return constant_of(expr, type, time, context, scope);
  };
  source.table_scan = find_flag(context.properties, "ksql.query.pull.table.scan.enabled").value_or(true);
  source.range_scan = find_flag(context.properties, "ksql.query.pull.range.scan.enabled").value_or(true);
  return source;
}

BoundPull PullBinder::bind() {
  if (find_flag(context_.properties, "ksql.pull.queries.enable") == false) {
    throw SqlError(Code::not_supported, query_.span,
                   "Pull queries are disabled." + pull_help() +
                       "\nPlease set ksql.pull.queries.enable=true to enable this feature.");
  }
  check_pull_clauses();
  scope_ = open_sources(input_);
  const SourceDef& def = *scope_.sources[0].def;
  require_queryable(def, query_.from.first.name.span);
  ItemNames names(scope_);
  clauses_ = read_clauses(input_, scope_, names);
  check_pull_columns();
  check_clauses(input_, scope_, clauses_);
  BoundPull bound;
  bound.source = def.name;
  bound.row = def.schema;
  bound.limit = query_.limit;
  const bool table = def.kind == RelationKind::table;
  if (table && clauses_.where)
    parameters_.lift(clauses_.where, liftable_, [this](const ast::ExprPtr& expr) {
      ExprBinder binder(context_, scope_);
      return binder.bind(expr);
    });
  bound.predicate = bind_pull_predicate();
  ExprBinder binder(context_, scope_);
  for (const auto& item : clauses_.items) {
    // On a stream the query is run as a push query that ends, which binds the calls.
    const auto is_table_call = [&](const ast::Expression& e) {
      return is_call_of(context_.functions, e, FunctionKind::table);
    };
    if (!table && contains(item.expr, is_table_call)) continue;
    ProjectItem made = value_item(binder, input_, scope_, item);
    const auto* column = item.expr->as<ast::ColumnRef>();
    const auto pseudo =
        column && !def.schema.find(column->name.text) ? pseudo_column_of(column->name.text) : std::nullopt;
    const bool window = pseudo == PseudoColumn::window_start || pseudo == PseudoColumn::window_end;
    const bool own_name = column && column->name.text == item.name;
    if (table && own_name && (key_column(item.expr) || window)) made.column.role = ColumnRole::key;
    const auto index = column && own_name ? def.schema.find(column->name.text) : std::nullopt;
    if (table && index && def.schema.columns[*index].role == ColumnRole::header)
      made.column = def.schema.columns[*index];
    bound.items.push_back(std::move(made));
  }
  Schema shown;
  for (const auto& item : bound.items) shown.columns.push_back(item.column);
  check_duplicate_columns(shown, query_.span);
  auto source = make_pull_source(def, context_, scope_, parameters_);
  source.key_of = [this](const ast::ExprPtr& expr) { return key_column(expr); };
  if (table) bound.access = find_access(clauses_.where, source);
  bound.parameters = parameters_.list();
  return bound;
}

}  // namespace

BoundPull bind_pull(const ast::Query& query, const BindContext& context, std::span<const Span> liftable) {
  return PullBinder(query, context, liftable).bind();
}

}  // namespace millrace::inline planner
