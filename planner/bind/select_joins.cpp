#include "planner/bind/select_joins.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/elements.h"
#include "planner/bind/subquery_joins.h"
#include "planner/bind/windowed_tables.h"

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

/// The words of ksqlDB for what it takes: one equality.
JoinStep analyse_equality(const ast::JoinedSource& clause, const ast::ExprPtr& on, const Scope& scope,
                          std::size_t index) {
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
  JoinStep step{&clause,
                index + 1,
                {{comparison->left, comparison->right}},
                nullptr,
                fmt::format("{} = {}", ast::format(*comparison->left), ast::format(*comparison->right))};
  step.broadcast = scope.sources[index + 1].broadcast;
  const std::string& joined = scope.sources[index + 1].alias;
  auto& equality = step.on.front();
  const std::string left = *sources_of(equality.left).begin();
  const std::string right = *sources_of(equality.right).begin();
  if (left == right) {
    throw SqlError(
        Code::invalid_join, on->span,
        fmt::format("Each side of the join must reference exactly one source and not the same source. Left side "
                    "references `{}` and right references `{}`",
                    left, right));
  }
  if (left == joined) std::swap(equality.left, equality.right);
  if (left != joined && right != joined) {
    throw SqlError(
        Code::invalid_join, on->span,
        fmt::format("Invalid join condition: one side must be a column of {}. Got {}.", joined, step.printed));
  }
  return step;
}

/// `part` as an equality between what is joined so far and the source that joins; nothing when it is none.
std::optional<JoinEquality> equality_of(const ast::ExprPtr& part, const std::string& joined) {
  const auto* comparison = part->as<ast::Comparison>();
  if (!comparison || comparison->op != ast::CompareOp::equal) return std::nullopt;
  const auto left = sources_of(comparison->left), right = sources_of(comparison->right);
  const std::set<std::string> own{joined};
  // All rows meet the one row of a subquery.
  if (right == own && left.empty() && joined.starts_with(kSubqueryAlias))
    return JoinEquality{comparison->left, comparison->right};
  if (right == own && !left.empty() && !left.contains(joined)) return JoinEquality{comparison->left, comparison->right};
  if (left == own && !right.empty() && !right.contains(joined))
    return JoinEquality{comparison->right, comparison->left};
  return std::nullopt;
}

/// A table is found by its whole primary key where the equalities say what that is: the others only must hold too.
/// False: they do not.
bool keep_primary_key(const ScopeSource& source, JoinStep& step, std::vector<ast::ExprPtr>& rest) {
  std::vector<JoinEquality> key;
  for (const ScopeColumn& column : source.columns) {
    if (column.role != ColumnRole::key) continue;
    const auto wanted = make_ast_column(source.alias, column.name, {});
    const auto found = std::ranges::find_if(
        step.on, [&](const JoinEquality& equality) { return ast::equal(*equality.right, *wanted); });
    if (found == step.on.end()) return false;
    key.push_back(*found);
  }
  if (key.empty()) return false;
  for (const JoinEquality& equality : step.on) {
    const bool used = std::ranges::any_of(key, [&](const JoinEquality& other) {
      return ast::equal(*other.left, *equality.left) && ast::equal(*other.right, *equality.right);
    });
    if (!used)
      rest.push_back(
          make_ast(ast::Comparison{ast::CompareOp::equal, equality.left, equality.right}, step.clause->on->span));
  }
  step.on = std::move(key);
  return true;
}

/// Two tables of which each row meets all rows of the other.
bool meets_all(const ast::JoinedSource& clause, const Scope& scope) {
  const auto is_table = [](const ScopeSource& source) { return source.def->kind == RelationKind::table; };
  return clause.source.reading == ast::Reading::broadcast && scope.sources.size() == 2 &&
         std::ranges::all_of(scope.sources, is_table);
}

/// Any conjunction: equalities between both sides, and whatever else must hold.
JoinStep analyse_conjunction(const ast::JoinedSource& clause, const ast::ExprPtr& on, const Scope& scope,
                             std::size_t index) {
  const ScopeSource& source = scope.sources[index + 1];
  for (std::size_t later = index + 2; later < scope.sources.size(); ++later) {
    if (!sources_of(on).contains(scope.sources[later].alias)) continue;
    throw SqlError(Code::invalid_join, on->span,
                   fmt::format("ON of the join with {} uses {}, which is joined later.", source.alias,
                               scope.sources[later].alias));
  }
  JoinStep step{&clause, index + 1, {}, nullptr, {}};
  step.broadcast = source.broadcast;
  std::vector<ast::ExprPtr> rest;
  for (const auto& part : conjuncts_of(on)) {
    const auto* constant = part->as<ast::BooleanLiteral>();
    if (auto equality = equality_of(part, source.alias))
      step.on.push_back(std::move(*equality));
    else if (!constant || !constant->value)
      rest.push_back(part);
  }
  imply_windows(scope, source, step, on->span);
  if (step.on.empty() && meets_all(clause, scope)) {
    const auto zero = make_ast(ast::IntegerLiteral{0}, on->span);
    step.on.push_back({zero, zero});
  }
  if (step.on.empty() && !step.broadcast) {
    throw SqlError(Code::invalid_join, on->span,
                   fmt::format("Join of {} and {} needs an equality between their columns, or BROADCAST.",
                               scope.sources[0].alias, source.alias))
        .hint("what else must hold may follow with AND");
  }
  if (source.def->kind == RelationKind::table && !step.broadcast) {
    const bool found_by_key = keep_primary_key(source, step, rest);
    const bool both = scope.sources.size() == 2 && scope.sources[0].def->kind == RelationKind::table;
    const bool keeps_right = clause.kind == ast::JoinKind::right || clause.kind == ast::JoinKind::full;
    step.pairs = both && (!found_by_key || (keeps_right && !is_whole_key(scope, step, 0, &JoinEquality::left)));
  }
  for (const auto& part : rest)
    step.rest = step.rest ? make_ast(ast::Binary{ast::BinaryOp::logical_and, step.rest, part}, on->span) : part;
  if (!step.on.empty())
    step.printed = fmt::format("{} = {}", ast::format(*step.on.front().left), ast::format(*step.on.front().right));
  return step;
}

/// FOR SYSTEM_TIME AS OF, of what stands left of the JOIN.
ast::ExprPtr version_time(const ast::JoinedSource& clause, const Scope& scope, std::size_t index) {
  ast::ExprPtr time = qualify(clause.source.as_of, scope);
  check_resolved(time, scope, "FOR SYSTEM_TIME AS OF");
  const auto used = sources_of(time);
  for (std::size_t later = index + 1; later < scope.sources.size(); ++later) {
    if (!used.contains(scope.sources[later].alias)) continue;
    throw SqlError(Code::invalid_join, time->span,
                   fmt::format("FOR SYSTEM_TIME AS OF takes a time of the rows left of the JOIN, not of {}.",
                               scope.sources[later].alias));
  }
  return time;
}

JoinStep analyse_elements(const ast::JoinedSource& clause, const Scope& scope, std::size_t index) {
  JoinStep step{&clause, index + 1, {}, nullptr, {}};
  step.elements = true;
  step.list = scope.sources[index + 1].list;
  if (const ast::ExprPtr on = condition_of_elements(clause)) {
    step.rest = qualify(on, scope);
    check_resolved(step.rest, scope, "JOIN ON");
  }
  return step;
}

JoinStep analyse_join(const SelectInput& input, const Scope& scope, std::size_t index) {
  const auto& clause = input.query.from.joins[index];
  if (clause.source.unnest) return analyse_elements(clause, scope, index);
  const auto on = qualify(clause.on, scope);
  check_resolved(on, scope, "JOIN ON");
  if (!lifts(Lifted::any_join, input.context.properties)) return analyse_equality(clause, on, scope, index);
  JoinStep step = analyse_conjunction(clause, on, scope, index);
  if (clause.source.as_of) step.as_of = version_time(clause, scope, index);
  if (input.final() && !clause.within) match_windows(scope, step);
  return step;
}

/// Of one key column of what is joined so far.
struct KeyNames {
  std::vector<ast::ExprPtr> equivalent;  // what equals it
  std::vector<ast::ExprPtr> viable;      // columns among these
};

/// `name`, or with a number behind it, so that no column and no other key has it.
ScopeColumn synthetic_key(const Scope& scope, std::size_t position) {
  std::string name = "ROWKEY";
  for (int i = 1; scope.has_column(name) || scope.find_synthetic(name); ++i) name = fmt::format("ROWKEY_{}", i);
  return {.name = name, .type = Type::null(), .role = ColumnRole::key, .position = position};
}

std::vector<KeyNames> own_names(const ScopeSource& source) {
  std::vector<KeyNames> keys;
  for (const ScopeColumn& column : source.columns) {
    if (column.role != ColumnRole::key) continue;
    const auto named = make_ast_column(source.alias, column.name, {});
    keys.push_back({{named}, {named}});
  }
  return keys;
}

/// The number of an element is part of a table's key.
KeyNames number_names(const JoinStep& step, const Scope& scope) {
  const ScopeSource& source = scope.sources[step.source];
  if (!step.clause->source.ordinality) return {};
  const auto number = make_ast_column(source.alias, source.columns.back().name, {});
  return {{number}, {number}};
}

/// Which columns may name the key columns of the result (sql.md). A FULL join makes the key its own.
void find_viable_keys(Scope& scope, Clauses& clauses) {
  std::vector<KeyNames> keys;
  if (clauses.joins.front().broadcast || clauses.joins.front().elements) keys = own_names(scope.sources.front());
  for (const auto& step : clauses.joins) {
    if (step.broadcast) continue;
    if (step.elements) {
      if (scope.sources.front().def->kind == RelationKind::table) keys.push_back(number_names(step, scope));
      continue;
    }
    if (step.window_end) {
      const bool right = step.clause->kind == ast::JoinKind::right;
      if (keys.empty()) keys = own_names(scope.sources[right ? step.source : 0]);
      if (step.clause->kind == ast::JoinKind::full) keys.assign(keys.size(), {});
      continue;
    }
    if (step.pairs) {
      keys = own_names(scope.sources[0]);
      for (KeyNames& key : own_names(scope.sources[1])) keys.push_back(std::move(key));
      continue;
    }
    const bool full = step.clause->kind == ast::JoinKind::full;
    bool same = !full && keys.size() == step.on.size();
    for (std::size_t i = 0; i < keys.size() && same; ++i) same = among(keys[i].equivalent, step.on[i].left);
    if (keys.size() != step.on.size() || full) keys.assign(step.on.size(), {});
    if (full) {  // no column holds the key, but what USING makes of two does
      const auto& shared = step.clause->columns;
      for (std::size_t i = 0; i < keys.size() && i < shared.size(); ++i)
        keys[i].viable = {scope.shared.at(shared[i].text).value};
      continue;
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      KeyNames& key = keys[i];
      if (!same) key.equivalent.clear();
      for (const auto& side : {step.on[i].left, step.on[i].right})
        if (!among(key.equivalent, side)) key.equivalent.push_back(side);
      auto candidates = std::exchange(key.viable, {});
      candidates.insert(candidates.end(), {step.on[i].left, step.on[i].right});
      for (const auto& column : candidates)
        if (column->as<ast::ColumnRef>() && among(key.equivalent, column) && !among(key.viable, column))
          key.viable.push_back(column);
    }
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].viable.empty()) scope.synthetic_keys.push_back(synthetic_key(scope, i));
    clauses.viable_keys.push_back(std::move(keys[i].viable));
  }
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
