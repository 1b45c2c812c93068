#include "planner/bind/finite_versions.h"

#include <fmt/format.h>

#include <utility>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/source_checks.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {
namespace {

/// As milliseconds.
ast::ExprPtr time_of_version(const ast::FromSource& source, const Scope& scope, const BindContext& context) {
  ast::ExprPtr time = qualify(source.as_of, scope);
  check_resolved(time, scope, "FOR SYSTEM_TIME AS OF");
  ExprBinder binder(context, scope);
  const Type type = bind_item(binder, time, scope)->type;
  if (type == Type::timestamp()) return make_ast_call("UNIX_TIMESTAMP", {time}, time->span);
  if (type == Type::integer() || type == Type::bigint()) return time;
  throw SqlError(
      Code::invalid_join, source.as_of->span,
      fmt::format("FOR SYSTEM_TIME AS OF takes a BIGINT (milliseconds) or a TIMESTAMP, not {}.", type.to_string()));
}

}  // namespace

NodePtr meet_versions(FiniteJoinNode join, const ast::JoinedSource& clause, const Scope& scope,
                      const BindContext& context) {
  const Span span = clause.source.name.span;
  if (join.type != JoinType::inner && join.type != JoinType::left)
    throw SqlError(Code::invalid_join, span, "FOR SYSTEM_TIME AS OF takes JOIN and LEFT JOIN.");
  if (join.left_values.empty()) throw SqlError(Code::invalid_join, span, "Versions are found by the key: ON needs it.");
  const ExprPtr more = std::exchange(join.condition, nullptr);  // must hold for that version
  const std::size_t width = join.left->schema.size(), all = width + join.right->schema.size();
  const auto right = [&](std::string_view name) {
    std::size_t at = width;
    while (join.right->schema.columns[at - width].name != name) ++at;
    return make_column(at, join.right->schema.columns[at - width].type, std::string(name));
  };
  const ExprPtr when = right("ROWTIME"), gone = right(VersionsNode::kGone), order = right(VersionsNode::kOrder);
  const auto not_later =
      make_ast(ast::Comparison{ast::CompareOp::less_equal, make_ast_column(scope.sources.back().alias, "ROWTIME", span),
                               time_of_version(clause.source, scope, context)},
               span);
  ExprBinder binder(context, scope);
  set_condition(join, bind_predicate(binder, not_later, scope, "JOIN ON"), width);
  join.nearest = {{when, true, false}, {order, true, false}};
  const bool inner = join.type == JoinType::inner;
  NodePtr joined = make_node(std::move(join));
  ExprPtr there = make_expr(NotExpr{gone}, Type::boolean(), span);
  if (more) there = make_expr(LogicalExpr{true, there, more}, Type::boolean(), span);
  if (inner) return make_node(FilterNode{std::move(joined), there});
  ProjectNode shown{joined, column_items(joined->schema)};
  for (std::size_t at = width; at < all; ++at) {
    ExprPtr& value = shown.items[at].expr;
    const Type type = value->type;
    value = make_expr(CaseExpr{{{there, value}}, nullptr}, type, span);
  }
  return make_node(std::move(shown));
}

}  // namespace millrace::inline planner
