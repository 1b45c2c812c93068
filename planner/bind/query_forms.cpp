#include "planner/bind/query_forms.h"

#include <algorithm>
#include <set>
#include <string>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/late_into.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void refuse_form(const char* form, Span span, const char* hint) {
  throw SqlError(Code::not_supported, span, std::string(form) + " is not supported yet.").hint(hint);
}

/// Walks over a query and those within it.
class SourceWalk {
 public:
  explicit SourceWalk(const std::function<void(const ast::Identifier&)>& visit) : visit_(visit) {}

  void walk(const ast::Query& query) {
    const std::set<std::string> outside = named_;
    for (const auto& named : query.with) {
      walk(*named.query);
      named_.insert(named.name.text);
    }
    walk_select(query);
    for (const auto& branch : query.branches) walk_select(*branch);
    named_ = outside;
  }

 private:
  void walk_select(const ast::Query& query) {
    walk_source(query.from.first);
    for (const auto& join : query.from.joins) {
      walk_source(join.source);
      walk_expression(join.on);
    }
    for (const auto& item : query.items) {
      if (const auto* plain = std::get_if<ast::SelectExpr>(&item)) walk_expression(plain->expr);
      if (const auto* fields = std::get_if<ast::SelectStructStar>(&item)) walk_expression(fields->base);
    }
    for (const auto& window : query.windows) {
      std::ranges::for_each(window.spec.partition, [this](const auto& expr) { walk_expression(expr); });
      std::ranges::for_each(window.spec.order, [this](const auto& item) { walk_expression(item.expr); });
    }
    walk_expression(query.where);
    walk_expression(query.having);
    walk_expression(query.qualify);
    for (const auto& item : query.order_by) walk_expression(item.expr);
    for (const auto* grouping : {&query.group_by, &query.partition_by}) {
      if (!*grouping) continue;
      for (const auto& expr : (*grouping)->exprs) walk_expression(expr);
      for (const auto& set : (*grouping)->sets)
        std::ranges::for_each(set, [this](const auto& expr) { walk_expression(expr); });
    }
  }
  void walk_source(const ast::FromSource& source) {
    if (source.unnest) {
      walk_expression(source.unnest);
    } else if (source.query) {
      walk(*source.query);
    } else if (!named_.contains(source.name.text)) {
      visit_(source.name);
    }
  }
  void walk_expression(const ast::ExprPtr& expr) {
    contains(expr, [this](const ast::Expression& node) {
      if (const auto* in = node.as<ast::In>(); in && in->query) walk(*in->query);
      if (const auto* exists = node.as<ast::Exists>()) walk(*exists->query);
      if (const auto* scalar = node.as<ast::ScalarQuery>()) walk(*scalar->query);
      return false;
    });
  }

  const std::function<void(const ast::Identifier&)>& visit_;
  std::set<std::string> named_;
};

}  // namespace

void check_clause_forms(const ast::Query& query) {
  for (const auto& join : query.from.joins)
    if (join.grace && !join.source.as_of)
      throw SqlError(Code::invalid_join, join.grace->span, "GRACE PERIOD belongs to WITHIN or FOR SYSTEM_TIME AS OF.")
          .hint("leave it out, or write one of them before it");
}

void check_finite_forms(const ast::Query& query) {
  refuse_late(query);
  constexpr const char* kHint = "create a table from the query and read that";
  if (query.distinct_on && query.distinct_on->within)
    refuse_form("DISTINCT WITHIN in a pull query", query.distinct_on->span, kHint);
}

void check_forms(const ast::Query& query) {
  check_clause_forms(query);
  if (query.from.first.absent)
    throw SqlError(Code::invalid_statement, query.span, "A query that goes on needs FROM.")
        .hint("SELECT of values alone is a pull query, which has no EMIT clause");
  if (query.from.first.unnest)
    throw SqlError(Code::invalid_join, query.from.first.name.span, "UNNEST stands right of a JOIN only.")
        .hint("alone, UNNEST and VALUES are for pull queries, which have no EMIT clause");
  for (const auto& join : query.from.joins) {
    const bool crosses = !join.on && join.columns.empty() && !join.source.unnest;
    if (crosses && join.source.reading != ast::Reading::broadcast)
      refuse_form("CROSS JOIN", join.span, "CROSS JOIN BROADCAST(...) gives all pairs");
    if (join.nearest)
      throw SqlError(Code::not_supported, join.span, "ASOF JOIN is only supported in pull queries.")
          .hint("JOIN table FOR SYSTEM_TIME AS OF meets the version of a table with HISTORY");
  }
}

void for_each_source(const ast::Query& query, const std::function<void(const ast::Identifier&)>& visit) {
  SourceWalk(visit).walk(query);
}

}  // namespace millrace::inline planner
