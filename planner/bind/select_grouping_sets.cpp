#include "planner/bind/select_grouping_sets.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {
namespace {

constexpr std::size_t kMostSets = 64;
constexpr std::size_t kMostExpressions = 32;

/// The items of ROLLUP and CUBE, the sets of GROUPING SETS, each as bits of what is grouped by.
std::vector<std::size_t> read_items(const ast::Grouping& grouping, const Scope& scope, Clauses& clauses) {
  std::vector<std::size_t> items;
  for (const auto& list : grouping.sets) {
    items.push_back(0);
    for (const auto& written : list) {
      const ast::ExprPtr expr = qualify(written, scope);
      const auto known =
          std::ranges::find_if(clauses.group, [&](const ast::ExprPtr& other) { return ast::equal(*other, *expr); });
      const auto at = static_cast<std::size_t>(known - clauses.group.begin());
      if (known == clauses.group.end()) clauses.group.push_back(expr);
      if (at >= kMostExpressions)
        throw SqlError(Code::not_supported, expr->span,
                       fmt::format("GROUP BY several sets takes up to {} expressions.", kMostExpressions));
      items.back() |= std::size_t{1} << at;
    }
  }
  return items;
}

[[noreturn]] void fail_too_many(Span span) {
  throw SqlError(Code::not_supported, span, fmt::format("GROUP BY takes up to {} sets.", kMostSets));
}

/// From all of them to none, one less each time.
std::vector<std::size_t> roll_up(const std::vector<std::size_t>& items) {
  std::vector<std::size_t> sets(items.size() + 1);
  for (std::size_t i = 0; i < items.size(); ++i) sets[i + 1] = sets[i] | items[i];
  std::ranges::reverse(sets);
  return sets;
}

/// All choices of them; the first ones go last.
std::vector<std::size_t> cube(const std::vector<std::size_t>& items, Span span) {
  std::vector<std::size_t> sets;
  if (items.size() > 6) fail_too_many(span);
  for (std::size_t choice = std::size_t{1} << items.size(); choice-- > 0;) {
    sets.push_back(0);
    for (std::size_t i = 0; i < items.size(); ++i)
      if ((choice >> (items.size() - 1 - i) & 1) != 0) sets.back() |= items[i];
  }
  return sets;
}

}  // namespace

void read_sets(const ast::Grouping& grouping, const Scope& scope, Clauses& clauses, bool keyed) {
  const std::size_t always = (std::size_t{1} << clauses.group.size()) - 1;
  const std::vector<std::size_t> items = read_items(grouping, scope, clauses);
  switch (grouping.kind) {
    case ast::GroupingKind::rollup:
      clauses.sets = roll_up(items);
      break;
    case ast::GroupingKind::cube:
      clauses.sets = cube(items, grouping.span);
      break;
    default:
      clauses.sets = items;
  }
  for (std::size_t& set : clauses.sets) set |= always;
  if (clauses.sets.size() > kMostSets) fail_too_many(grouping.span);
  for (std::size_t i = 0; i < clauses.sets.size(); ++i)
    if (std::ranges::count(clauses.sets, clauses.sets[i]) > 1)
      throw SqlError(Code::invalid_statement, grouping.span, "GROUP BY has the same set twice.")
          .hint("a table has one row for each group");
  if (!keyed) return;
  const bool nothing = std::ranges::find(clauses.sets, std::size_t{0}) != clauses.sets.end();
  const bool told = std::ranges::any_of(clauses.items, [](const OutputItem& item) {
    const auto* call = item.expr->as<ast::Call>();
    return call && call->name.text == "GROUPING";
  });
  if (nothing && clauses.group.size() < 2 && !told)
    throw SqlError(Code::invalid_key, grouping.span,
                   "The group of all rows would have no key: its only column is NULL.")
        .hint("select GROUPING of the column too, which becomes part of the key");
}

ast::ExprPtr grouping_call(const ast::Expression& expr, const Clauses& clauses) {
  const auto* call = expr.as<ast::Call>();
  if (!call || call->name.text != "GROUPING" || clauses.sets.empty()) return nullptr;
  if (call->arguments.size() != 1 || !among(clauses.group, call->arguments[0]))
    throw SqlError(Code::invalid_aggregate, expr.span, "GROUPING takes one expression of GROUP BY.");
  // Groups of NULL do not exist: it is NULL where the set lacks it.
  const auto number = [&](std::int32_t value) { return make_ast(ast::IntegerLiteral{value}, expr.span); };
  return make_ast(
      ast::Case{
          nullptr, {{make_ast(ast::IsNull{call->arguments[0], false}, expr.span), number(1), expr.span}}, number(0)},
      expr.span);
}

}  // namespace millrace::inline planner
