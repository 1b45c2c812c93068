#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/select_binder.h"

namespace millrace::inline planner {
std::set<std::string> SelectBinder::sources_of(const ast::ExprPtr& expr) const {
  std::set<std::string> aliases;
  contains(expr, [&](const ast::Expression& node) {
    const auto* column = node.as<ast::ColumnRef>();
    if (column && column->qualifier) aliases.insert(column->qualifier->text);
    return false;
  });
  return aliases;
}

void SelectBinder::analyse_joins() {
  if (!scope_.is_join()) return;
  for (std::size_t i = 0; i < query_.from.joins.size(); ++i) joins_.push_back(analyse_join(i));
  find_viable_keys();
  check_join_formats();
}

SelectBinder::JoinStep SelectBinder::analyse_join(std::size_t index) {
  const auto& clause = query_.from.joins[index];
  const auto on = qualify(clause.on, scope_);
  check_resolved(on, scope_, "JOIN ON");
  const auto* comparison = on->as<ast::Comparison>();
  if (!comparison) {
    if (const auto* binary = on->as<ast::Binary>(); binary && binary->op == ast::BinaryOp::logical_and) {
      throw SqlError(Code::invalid_join, on->span,
                     fmt::format("Invalid join condition: joins on multiple conditions are not yet supported. Got {}.",
                                 ast::format(*on)));
    }
    throw SqlError(
        Code::invalid_join, on->span,
        fmt::format("Unsupported join expression: {}. Only equality join criteria is supported.", ast::format(*on)));
  }
  if (comparison->op != ast::CompareOp::equal) {
    throw SqlError(Code::invalid_join, on->span,
                   fmt::format("Only equality join criteria is supported. Got {}.", ast::format(*on)));
  }
  for (const auto* side : {&comparison->left, &comparison->right}) {
    if (sources_of(*side).size() != 1) {
      throw SqlError(
          Code::invalid_join, (*side)->span,
          fmt::format("Invalid comparison expression '{}' in join '{}'. Each side of the join comparision must contain "
                      "references from exactly one source.",
                      ast::format(**side), ast::format(*on)));
    }
  }
  JoinStep step{&clause, index + 1, comparison->left, comparison->right,
                fmt::format("{} = {}", ast::format(*comparison->left), ast::format(*comparison->right))};
  const std::string& joined = scope_.sources[index + 1].alias;
  const std::string left = *sources_of(step.left).begin();
  const std::string right = *sources_of(step.right).begin();
  if (left == right) {
    throw SqlError(
        Code::invalid_join, on->span,
        fmt::format("Each side of the join must reference exactly one source and not the same source. Left side "
                    "references `{}` and right references `{}`",
                    left, right));
  }
  if (left == joined) std::swap(step.left, step.right);
  if (left != joined && right != joined) {
    throw SqlError(
        Code::invalid_join, on->span,
        fmt::format("Invalid join condition: one side must be a column of {}. Got {}.", joined, step.printed));
  }
  return step;
}

/// Which columns may name the key of the result (sql.md). A FULL join makes the key its own.
void SelectBinder::find_viable_keys() {
  std::vector<ast::ExprPtr> equivalent;
  for (const auto& step : joins_) {
    if (step.clause->kind == ast::JoinKind::full) {
      equivalent.clear();
      viable_.clear();
      continue;
    }
    if (!among(equivalent, step.left)) equivalent.clear();
    for (const auto& side : {step.left, step.right}) {
      if (!among(equivalent, side)) equivalent.push_back(side);
    }
    std::vector<ast::ExprPtr> next;
    auto candidates = viable_;
    candidates.push_back(step.left);
    candidates.push_back(step.right);
    for (const auto& column : candidates) {
      if (column->as<ast::ColumnRef>() && among(equivalent, column) && !among(next, column)) next.push_back(column);
    }
    viable_ = std::move(next);
  }
  if (!viable_.empty()) return;
  std::string name = "ROWKEY";
  for (int i = 1; scope_.has_column(name); ++i) name = fmt::format("ROWKEY_{}", i);
  scope_.synthetic_key = ScopeColumn{.name = name, .type = Type::null(), .role = ColumnRole::key, .position = 0};
}

void SelectBinder::check_join_formats() const {
  std::vector<std::string> names;
  for (const auto& source : scope_.sources) {
    if (source.def->value_format.name == "KAFKA") names.push_back(source.def->name);
  }
  if (names.empty()) return;
  throw SqlError(
      Code::invalid_join, query_.span,
      fmt::format("Source(s) {} are using the 'KAFKA' value format. This format does not yet support JOIN.\nThe KAFKA "
                  "format is primarily intended for use as a key format.",
                  join_words(names, ", ")));
}

bool SelectBinder::is_only_key(const ast::ExprPtr& expr, std::size_t source) const {
  const auto* column = expr->as<ast::ColumnRef>();
  if (!column || !column->qualifier || column->qualifier->text != scope_.sources[source].alias) return false;
  const auto* found = scope_.sources[source].find(column->name.text);
  return found && found->role == ColumnRole::key && scope_.sources[source].def->schema.key_count() == 1;
}

void SelectBinder::shift_sources(const std::vector<std::size_t>& sources, std::size_t by) {
  for (const auto index : sources) {
    auto& source = scope_.sources[index];
    for (auto& column : source.columns) column.position += by;
    for (auto& [pseudo, position] : source.pseudo_positions) position += by;
  }
}

void SelectBinder::rekey_side(Side& side, const ast::ExprPtr& expr, const std::string& name) {
  if (side.node->window) {
    throw SqlError(Code::invalid_join, expr->span,
                   "Implicit repartitioning of windowed sources is not supported. See "
                   "https://github.com/confluentinc/ksql/issues/4385.");
  }
  ExprBinder binder(context_, scope_);
  auto bound = bind_item(binder, expr, scope_);
  ColumnDef key{.name = name, .type = bound->type, .role = ColumnRole::key};
  side.node = make_node(RekeyNode{side.node, {{key, bound}}, NullKey::keep});
  side.rekeyed = true;
  shift_sources(side.sources, 1);
}

void SelectBinder::build_joins() {
  const auto leaf = [&](std::size_t index) {
    const auto& def = *scope_.sources[index].def;
    Side side{make_leaf(index), {index}, false, def.key_format, def.partitions};
    auto& source = scope_.sources[index];
    const auto pseudo = used_pseudo_columns(source);
    if (pseudo.empty()) return side;
    std::vector<ProjectItem> items;
    for (const auto& column : source.columns) {
      ColumnDef def_column{.name = column.name, .type = column.type, .role = column.role};
      if (column.role == ColumnRole::header) def_column.role = ColumnRole::value;
      items.push_back({def_column, make_column(column.position, column.type, column.name)});
    }
    for (const auto column : pseudo) {
      source.pseudo_positions[column] = items.size();
      const std::string name(pseudo_column_name(column));
      items.push_back({ColumnDef{.name = name, .type = pseudo_column_type(column)},
                       make_expr(PseudoExpr{column}, pseudo_column_type(column), query_.span)});
    }
    side.node = make_node(ProjectNode{side.node, std::move(items)});
    return side;
  };
  Side left = leaf(0);
  std::vector<ast::ExprPtr> equivalent;
  for (const auto& step : joins_) left = build_join(std::move(left), leaf(step.source), step, equivalent);
  node_ = left.node;
  key_format_ = left.key_format;
  if (origin_ == KeyOrigin::foreign_key) return;
  origin_ = KeyOrigin::join;
  const Type type = node_->schema.columns[0].type;
  if (scope_.synthetic_key) {
    scope_.synthetic_key->type = type;
    keys_.push_back(
        {0,
         type,
         {make_ast(ast::ColumnRef{std::nullopt, {.text = scope_.synthetic_key->name, .quoted = false, .span = {}}},
                   query_.span)}});
  } else {
    keys_.push_back({0, type, viable_});
  }
}

}  // namespace millrace::inline planner
