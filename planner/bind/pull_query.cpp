#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/macros.h"
#include "planner/bind/pull_lookups.h"
#include "planner/bind/pull_order.h"
#include "planner/bind/pull_parameters.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_project.h"
#include "planner/bind/select_relations.h"
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
  void bind_order(BoundPull& bound, ExprBinder& binder) const;
  ProjectItem bind_pull_item(ExprBinder& binder, const OutputItem& item, bool row_wise) const;
  bool lifts_clauses() const { return lifts(Lifted::pull_clauses, context_.properties); }
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
  std::vector<ast::ExprPtr> order_;  // qualified
};

void PullBinder::check_pull_clauses() const {
  const auto refuse = [&](const char* clause, bool used, Span span) {
    if (!used) return;
    throw SqlError(Code::not_supported, span,
                   fmt::format("Pull queries don't support {} clauses.{}", clause, pull_help()));
  };
  refuse("JOIN", !query_.from.joins.empty(), query_.span);
  refuse("WINDOW", query_.window.has_value(), query_.window ? query_.window->span : query_.span);
  if (query_.from.first.query || query_.from.first.changes || !query_.with.empty() || !query_.branches.empty()) {
    throw SqlError(Code::not_supported, query_.span, "Pull queries do not read from queries yet.")
        .hint("add EMIT CHANGES, or create a table from the inner query and read that");
  }
  const bool lifted = lifts_clauses();
  refuse("GROUP BY", query_.group_by.has_value() && !lifted, query_.group_by ? query_.group_by->span : query_.span);
  refuse("PARTITION BY", query_.partition_by.has_value(),
         query_.partition_by ? query_.partition_by->span : query_.span);
  refuse("HAVING", query_.having != nullptr && !lifted, query_.having ? query_.having->span : query_.span);
  refuse("QUALIFY", query_.qualify != nullptr, query_.qualify ? query_.qualify->span : query_.span);
  refuse("named WINDOW", !query_.windows.empty(), query_.span);
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
  if (star && query_.items.size() > 1 && !lifts_clauses()) {
    throw SqlError(Code::not_supported, query_.span,
                   "Pull queries only support wildcards in the projects if they are the only expression");
  }
  if (clauses_.aggregated && !lifts_clauses()) {
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

void require_queryable(const SourceDef& source, const PropertyMap& properties, Span span) {
  if (lifts(Lifted::plain_tables, properties) || source.kind == RelationKind::stream || source.from_query ||
      source.read_only)
    return;
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
  source.table_scan = setting_flag(context.properties, "ksql.query.pull.table.scan.enabled");
  source.range_scan = setting_flag(context.properties, "ksql.query.pull.range.scan.enabled");
  return source;
}

/// Rows that are equal otherwise stand in the order of their keys, so that pages neither overlap nor skip.
void PullBinder::bind_order(BoundPull& bound, ExprBinder& binder) const {
  const auto add = [&](ExprPtr expr, bool descending = false, std::optional<bool> nulls_first = {}) {
    add_order(bound.order, std::move(expr), descending, nulls_first, query_.span);
  };
  const auto add_column = [&](std::size_t position, const ColumnDef& column) {
    add(make_column(position, column.type, column.name));
  };
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const auto& item = query_.order_by[i];
    const auto shown = std::ranges::find_if(
        clauses_.items, [&](const OutputItem& output) { return ast::equal(*output.expr, *order_[i]); });
    ExprPtr expr = bound.distinct
                       ? make_column(static_cast<std::size_t>(shown - clauses_.items.begin()),
                                     bound.items[static_cast<std::size_t>(shown - clauses_.items.begin())].column.type,
                                     shown->name)
                       : bind_item(binder, order_[i], scope_);
    add_order(bound.order, std::move(expr), item.descending, item.nulls_first, item.span);
  }
  if (bound.order.empty()) return;
  const auto add_all = [&](const Schema& schema, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (is_ordered(schema.columns[i].type)) add_column(i, schema.columns[i]);
  };
  if (bound.distinct) {
    for (std::size_t i = 0; i < bound.items.size(); ++i)
      if (is_ordered(bound.items[i].column.type)) add_column(i, bound.items[i].column);
  } else if (bound.groups) {
    for (std::size_t i = 0; i < bound.groups->keys.size(); ++i)
      if (is_ordered(bound.groups->keys[i].column.type)) add_column(i, bound.groups->keys[i].column);
  } else {
    add_all(bound.row, bound.row.key_count());
    if (scope_.sources[0].def->window)
      for (const auto pseudo : {PseudoColumn::window_start, PseudoColumn::window_end})
        add(make_expr(PseudoExpr{pseudo}, Type::bigint(), {}));
  }
}

/// `row_wise`: the item shows a row of the table, keys marked.
ProjectItem PullBinder::bind_pull_item(ExprBinder& binder, const OutputItem& item, bool row_wise) const {
  const SourceDef& def = *scope_.sources[0].def;
  ProjectItem made = value_item(binder, input_, scope_, item);
  if (def.kind != RelationKind::table || !row_wise) return made;
  const auto* column = item.expr->as<ast::ColumnRef>();
  const auto index = column ? def.schema.find(column->name.text) : std::nullopt;
  const auto pseudo = column && !index ? pseudo_column_of(column->name.text) : std::nullopt;
  const bool window = pseudo == PseudoColumn::window_start || pseudo == PseudoColumn::window_end;
  const bool own_name = column && column->name.text == item.name;
  if (own_name && (key_column(item.expr) || window)) made.column.role = ColumnRole::key;
  if (own_name && index && def.schema.columns[*index].role == ColumnRole::header)
    made.column = def.schema.columns[*index];
  return made;
}

BoundPull PullBinder::bind() {
  if (!setting_flag(context_.properties, "ksql.pull.queries.enable")) {
    throw SqlError(Code::not_supported, query_.span,
                   "Pull queries are disabled." + pull_help() +
                       "\nPlease set ksql.pull.queries.enable=true to enable this feature.");
  }
  check_pull_clauses();
  check_forms(query_);
  check_finite_forms(query_);
  std::vector<const SourceDef*> reads;
  scope_ = open_sources(input_, reads);
  const SourceDef& def = *scope_.sources[0].def;
  require_queryable(def, context_.properties, query_.from.first.name.span);
  ItemNames names(scope_);
  clauses_ = read_clauses(input_, scope_, names);
  check_pull_columns();
  check_clauses(input_, scope_, clauses_);
  order_ = read_order(query_, context_, scope_, clauses_);
  BoundPull bound;
  bound.source = def.name;
  bound.row = def.schema;
  bound.limit = query_.limit;
  bound.offset = query_.offset;
  bound.distinct = query_.distinct;
  const bool table = def.kind == RelationKind::table;
  if (table && clauses_.where)
    parameters_.lift(clauses_.where, liftable_, [this](const ast::ExprPtr& expr) {
      ExprBinder binder(context_, scope_);
      return binder.bind(expr);
    });
  bound.predicate = bind_pull_predicate();
  Aggregation aggregation(input_, scope_, clauses_);
  ExprBinder binder(context_, scope_);
  if (clauses_.aggregated) {
    bound.groups = aggregation.group(order_);
    bound.groups->having = aggregation.bind_having();
    binder.intercept = [&](const ast::ExprPtr& expr) { return aggregation.replace_item(expr); };
  }
  const bool row_wise = !bound.groups && !bound.distinct;
  const bool passes_rows = row_wise && query_.order_by.empty() && !query_.offset;
  for (const auto& item : clauses_.items) {
    // On a stream a query that passes rows on is run as a push query that ends, which binds the calls.
    if (!table && passes_rows && has_call_of(context_.functions, item.expr, FunctionKind::table)) continue;
    bound.items.push_back(bind_pull_item(binder, item, row_wise));
  }
  bind_order(bound, binder);
  Schema shown;
  for (const auto& item : bound.items) shown.columns.push_back(item.column);
  check_duplicate_columns(shown, query_.span);
  auto source = make_pull_source(def, context_, scope_, parameters_);
  source.key_of = [this](const ast::ExprPtr& expr) { return key_column(expr); };
  source.column_of = [&](const ast::ExprPtr& expr) -> const ColumnDef* {
    const auto* column = expr->as<ast::ColumnRef>();
    const auto index = column && column->qualifier ? def.schema.find(column->name.text) : std::nullopt;
    return index ? &def.schema.columns[*index] : nullptr;
  };
  for (const auto& [name, index] : context_.catalog.indexes)
    if (index->table == def.name) source.indexes.push_back(index);
  if (table) bound.access = find_access(clauses_.where, source);
  bound.parameters = parameters_.list();
  bound.most_memory_bytes = setting_integer(context_.properties, "millrace.pull.max.memory.bytes");
  return bound;
}

}  // namespace

BoundPull bind_pull(const ast::Query& query, const BindContext& context, std::span<const Span> liftable) {
  return PullBinder(query, context, liftable).bind();
}

}  // namespace millrace::inline planner
