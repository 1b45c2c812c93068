#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/select_binder.h"

namespace millrace::inline planner {

std::string join_words(const std::vector<std::string>& words, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

SelectBinder::SelectBinder(const ast::Query& query, const BindContext& context, std::string sink)
    : query_(query), context_(context), sink_(std::move(sink)) {
  scope_.functions = &context.functions;
}

BoundSelect SelectBinder::bind() {
  open_sources();
  qualify_clauses();
  check_clauses();
  if (scope_.is_join()) {
    build_joins();
  } else {
    bind_single();
  }
  filter();
  flat_map();
  if (aggregated_) {
    aggregate();
  } else {
    check_plain();
    partition();
    ExprBinder binder(context_, scope_);
    binder.intercept = [this](const ast::ExprPtr& expr) -> ExprPtr {
      const auto found = std::ranges::find(table_calls_, expr);
      if (found == table_calls_.end()) return nullptr;
      const auto index = static_cast<std::size_t>(found - table_calls_.begin());
      return make_expr(ColumnExpr{table_call_base_ + index}, bound_table_calls_[index].column.type, expr->span);
    };
    project(binder);
  }
  BoundSelect result;
  result.root = make_node(ProjectNode{node_, output_});
  result.order = order_;
  for (const auto& source : scope_.sources) result.sources.push_back(source.def);
  result.key_format = key_format_;
  result.null_key = origin_ == KeyOrigin::partitioning && keys_.empty();
  result.windowed_final = query_.emit == ast::Emit::final;
  for (const auto& call : aggregate_calls_) {
    result.structured_aggregates |= call.function->variants[call.variant].structured;
  }
  set_rewritten(result);
  return result;
}

void SelectBinder::check_plain() const {
  if (query_.window) {
    throw SqlError(Code::invalid_window, query_.window->span, "WINDOW clause requires a GROUP BY clause.");
  }
  if (query_.emit == ast::Emit::final) {
    throw SqlError(Code::invalid_window, query_.span, "EMIT FINAL is only supported for windowed aggregations.");
  }
  if (having_) {
    throw SqlError(Code::invalid_aggregate, having_->span, "HAVING requires a GROUP BY clause.");
  }
}

void SelectBinder::open_sources() {
  std::vector<const ast::FromSource*> from{&query_.from.first};
  for (const auto& join : query_.from.joins) from.push_back(&join.source);
  for (const auto* source : from) {
    const SourceDef& def = require_source(context_.catalog, source->name);
    if (persistent() && def.kind == RelationKind::table && def.window) {
      throw SqlError(Code::invalid_statement, source->name.span,
                     "KSQL does not support persistent queries on windowed tables.");
    }
    ScopeSource opened{.alias = source->visible_name().text, .def = &def, .columns = {}, .pseudo_positions = {}};
    for (std::size_t i = 0; i < def.schema.size(); ++i) {
      const auto& column = def.schema.columns[i];
      opened.columns.push_back({column.name, column.type, column.role, i});
    }
    scope_.sources.push_back(std::move(opened));
  }
  check_source_names();
  for (const auto& source : scope_.sources) {
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

void SelectBinder::check_source_names() const {
  const auto& sources = scope_.sources;
  for (std::size_t i = 1; i < sources.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (sources[i].def->name == sources[j].def->name) {
        const Span span = query_.from.joins[i - 1].source.name.span;
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
            Code::invalid_join, query_.from.joins[i - 1].span,
            fmt::format("Two sources of the query are called {}: give one of them an alias.", sources[i].alias));
      }
    }
  }
}

void SelectBinder::qualify_clauses() {
  scope_.window_aggregation = query_.window.has_value() && !scope_.is_join();
  analyse_joins();
  if (query_.partition_by) {
    for (const auto& expr : query_.partition_by->exprs) partition_.push_back(qualify(expr, scope_));
  }
  expand_items();
  where_ = qualify(query_.where, scope_);
  having_ = qualify(query_.having, scope_);
  if (query_.group_by) {
    for (const auto& expr : query_.group_by->exprs) group_.push_back(qualify(expr, scope_));
  }
  aggregated_ = query_.group_by.has_value() || has_aggregate(having_) ||
                std::ranges::any_of(items_, [&](const OutputItem& item) { return has_aggregate(item.expr); });
}

void SelectBinder::check_functions() const {
  ExprBinder binder(context_, scope_);
  for (const auto* root : clause_roots()) {
    contains(*root, [&](const ast::Expression& expr) {
      if (const auto* call = expr.as<ast::Call>()) binder.require_function(*call, expr.span);
      return false;
    });
  }
}

void SelectBinder::check_clauses() const {
  check_item_names();
  // First: SELECT * brings the new key along.
  for (const auto& expr : partition_) check_resolved(expr, scope_, "PARTITION BY");
  for (const auto& item : items_) check_resolved(item.expr, scope_, "SELECT");
  Scope plain = scope_;  // WHERE is applied before windows exist
  plain.window_aggregation = false;
  if (scope_.window_aggregation && where_) {
    const bool bound = contains(where_, [&](const ast::Expression& e) {
      const auto* column = e.as<ast::ColumnRef>();
      return column && !column->qualifier && (column->name.text == "WINDOWSTART" || column->name.text == "WINDOWEND");
    });
    if (!bound) check_resolved(where_, plain, "WHERE");
  } else {
    check_resolved(where_, plain, "WHERE");
  }
  for (const auto& expr : group_) check_resolved(expr, scope_, "GROUP BY");
  check_resolved(having_, scope_, "HAVING");
  check_functions();
}

std::vector<const ast::ExprPtr*> SelectBinder::clause_roots() const {
  std::vector<const ast::ExprPtr*> roots;
  for (const auto& item : items_) roots.push_back(&item.expr);
  for (const auto& join : joins_) {
    roots.push_back(&join.left);
    roots.push_back(&join.right);
  }
  for (const auto* list : {&group_, &partition_}) {
    for (const auto& expr : *list) roots.push_back(&expr);
  }
  for (const auto* expr : {&where_, &having_}) {
    if (*expr) roots.push_back(expr);
  }
  return roots;
}

std::set<PseudoColumn> SelectBinder::used_pseudo_columns(const ScopeSource& source) const {
  std::set<PseudoColumn> used;
  for (const auto* root : clause_roots()) {
    contains(*root, [&](const ast::Expression& expr) {
      const auto* column = expr.as<ast::ColumnRef>();
      if (column && column->qualifier && column->qualifier->text == source.alias && !source.find(column->name.text)) {
        if (const auto pseudo = source.find_pseudo(column->name.text)) used.insert(*pseudo);
      }
      return false;
    });
  }
  return used;
}

NodePtr SelectBinder::make_leaf(std::size_t source) {
  ScopeSource& opened = scope_.sources[source];
  const SourceDef& def = *opened.def;
  SourceNode node{.name = def.name,
                  .topic = def.topic,
                  .declared = def.schema,
                  .read = {},
                  .key_format = def.key_format,
                  .value_format = def.value_format,
                  .timestamp = std::nullopt};
  node.partitions = def.partitions;
  for (std::size_t i = 0; i < def.schema.size(); ++i) node.read.push_back(i);
  if (def.timestamp_column) {
    node.timestamp = TimestampColumn{.column = *def.schema.find(*def.timestamp_column), .format = def.timestamp_format};
  }
  return make_source(std::move(node), def.kind, def.window);
}

void SelectBinder::bind_single() {
  node_ = make_leaf(0);
  const auto& source = scope_.sources[0];
  for (const auto& column : source.columns) {
    if (column.role != ColumnRole::key) continue;
    keys_.push_back({column.position, column.type, {make_ast_column(source.alias, column.name, {})}});
  }
  key_format_ = source.def->key_format;
}

void SelectBinder::set_rewritten(BoundSelect& result) const {
  ast::Query rewritten = query_;
  rewritten.items.clear();
  for (const auto& item : items_) {
    rewritten.items.emplace_back(
        ast::SelectExpr{item.expr, ast::Identifier{.text = item.name, .quoted = false, .span = {}}, item.expr->span});
  }
  const auto name_source = [](ast::FromSource& source) {
    if (!source.alias) source.alias = source.name;
  };
  name_source(rewritten.from.first);
  for (auto& join : rewritten.from.joins) {
    name_source(join.source);
    join.on = qualify(join.on, scope_);
  }
  rewritten.where = where_;
  rewritten.having = having_;
  if (rewritten.group_by) rewritten.group_by->exprs = group_;
  if (rewritten.partition_by) rewritten.partition_by->exprs = partition_;
  if (rewritten.emit == ast::Emit::none) rewritten.emit = ast::Emit::changes;
  result.rewritten = std::move(rewritten);
}

}  // namespace millrace::inline planner
