#include "planner/bind/select_joins.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {
namespace {

std::set<std::string> sources_of(const ast::ExprPtr& expr) {
  std::set<std::string> aliases;
  contains(expr, [&](const ast::Expression& node) {
    const auto* column = node.as<ast::ColumnRef>();
    if (column && column->qualifier) aliases.insert(column->qualifier->text);
    return false;
  });
  return aliases;
}

JoinStep analyse_join(const SelectInput& input, const Scope& scope, std::size_t index) {
  const auto& clause = input.query.from.joins[index];
  if (clause.within && clause.within->unbounded) {
    throw SqlError(Code::not_supported, clause.within->span, "WITHIN UNBOUNDED is not supported yet.")
        .hint("give WITHIN a duration");
  }
  const auto on = qualify(clause.on, scope);
  check_resolved(on, scope, "JOIN ON");
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
  const std::string& joined = scope.sources[index + 1].alias;
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
void find_viable_keys(Scope& scope, Clauses& clauses) {
  std::vector<ast::ExprPtr> equivalent;
  for (const auto& step : clauses.joins) {
    if (step.clause->kind == ast::JoinKind::full) {
      equivalent.clear();
      clauses.viable_keys.clear();
      continue;
    }
    if (!among(equivalent, step.left)) equivalent.clear();
    for (const auto& side : {step.left, step.right}) {
      if (!among(equivalent, side)) equivalent.push_back(side);
    }
    std::vector<ast::ExprPtr> next;
    auto candidates = clauses.viable_keys;
    candidates.push_back(step.left);
    candidates.push_back(step.right);
    for (const auto& column : candidates) {
      if (column->as<ast::ColumnRef>() && among(equivalent, column) && !among(next, column)) next.push_back(column);
    }
    clauses.viable_keys = std::move(next);
  }
  if (!clauses.viable_keys.empty()) return;
  std::string name = "ROWKEY";
  for (int i = 1; scope.has_column(name); ++i) name = fmt::format("ROWKEY_{}", i);
  scope.synthetic_key = ScopeColumn{.name = name, .type = Type::null(), .role = ColumnRole::key, .position = 0};
}

}  // namespace

void analyse_joins(const SelectInput& input, Scope& scope, Clauses& clauses) {
  if (!scope.is_join()) return;
  for (std::size_t i = 0; i < input.query.from.joins.size(); ++i)
    clauses.joins.push_back(analyse_join(input, scope, i));
  find_viable_keys(scope, clauses);
  check_value_formats(scope, "JOIN", Code::invalid_join, input.query.span);
}

}  // namespace millrace::inline planner
