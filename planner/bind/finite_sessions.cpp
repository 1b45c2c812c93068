#include "planner/bind/finite_sessions.h"

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/select_over.h"
#include "planner/bind/source_checks.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {
namespace {

constexpr const char* kRows = "MILLRACE_SESSIONS";  // what the columns of the steps are of

/// A session begins with a row whose time is further than the gap from that of the one before; how many have begun up
/// to a row is the number of its session, whose bounds are its first and its last time.
class SessionSteps {
 public:
  SessionSteps(FiniteFrom& from, const std::vector<ast::ExprPtr>& keys, const ast::Window& window,
               const BindContext& context)
      : from_(from), keys_(keys), window_(window), context_(context), scope_(from.scope) {
    scope_.sources.push_back(
        {.alias = kRows, .def = scope_.sources.front().def, .columns = {}, .pseudo_positions = {}});
  }

  void add() {
    add_time();
    add_over("MILLRACE_BEFORE", "LAG", "MILLRACE_TIME", keys_);
    const auto distance = make_ast(
        ast::Binary{ast::BinaryOp::subtract, column("MILLRACE_TIME"), column("MILLRACE_BEFORE")}, window_.span);
    const auto goes_on =
        make_ast(ast::Comparison{ast::CompareOp::less_equal, distance, number(window_.size.millis)}, window_.span);
    add_column("MILLRACE_BEGINS",
               make_ast(ast::Case{nullptr, {{goes_on, number(0), window_.span}}, number(1)}, window_.span));
    add_over("MILLRACE_NUMBER", "SUM", "MILLRACE_BEGINS", keys_);
    std::vector<ast::ExprPtr> session = keys_;
    session.push_back(column("MILLRACE_NUMBER"));
    ScopeSource& rows = from_.scope.sources.front();
    for (auto& shown : rows.columns) {
      if (shown.name == "WINDOWSTART") shown.position = add_over("MILLRACE_START", "MIN", "MILLRACE_TIME", session);
      if (shown.name == "WINDOWEND") shown.position = add_over("MILLRACE_END", "MAX", "MILLRACE_TIME", session);
    }
  }

 private:
  ast::ExprPtr column(const char* name) const { return make_ast_column(kRows, name, window_.span); }
  ast::ExprPtr number(std::int64_t value) const { return make_ast(ast::BigintLiteral{value}, window_.span); }

  std::size_t name_last(const char* name) {
    const std::size_t at = from_.node->schema.size() - 1;
    scope_.sources.back().columns.push_back({name, from_.node->schema.columns[at].type, ColumnRole::value, at});
    return at;
  }

  std::size_t add_column(const char* name, const ast::ExprPtr& expr) {
    ExprBinder binder(context_, scope_);
    ExprPtr value = bind_item(binder, expr, scope_);
    ProjectNode more{from_.node, column_items(from_.node->schema)};
    more.items.push_back({ColumnDef{.name = name, .type = value->type}, std::move(value)});
    from_.node = make_node(std::move(more));
    return name_last(name);
  }

  void add_time() {
    ast::ExprPtr time;
    if (window_.on) {
      time = qualify(window_.on, from_.scope);
      check_resolved(time, from_.scope, "WINDOW");
      ExprBinder binder(context_, scope_);
      const TypeKind kind = bind_item(binder, time, scope_)->type.kind();
      if (kind == TypeKind::timestamp)
        time = make_ast(
            ast::Call{.name = {.text = "UNIX_TIMESTAMP", .quoted = false, .span = window_.span}, .arguments = {time}},
            window_.span);
      else if (kind != TypeKind::bigint && kind != TypeKind::integer)
        throw SqlError(Code::type_mismatch, window_.on->span, "A window goes by a BIGINT or a TIMESTAMP.");
    } else if (const ScopeSource& rows = from_.scope.sources.front();
               rows.pseudo_positions.contains(PseudoColumn::row_time)) {
      time = make_ast_column(rows.alias, "ROWTIME", window_.span);
    } else {
      throw SqlError(Code::invalid_window, window_.span, "These rows have no ROWTIME.")
          .hint("WINDOW SESSION (..., ON column)");
    }
    ast::TypeName bigint;
    bigint.name = {.text = "BIGINT", .quoted = false, .span = window_.span};
    add_column("MILLRACE_TIME", make_ast(ast::Cast{time, std::move(bigint)}, window_.span));
    ExprBinder binder(context_, scope_);
    const auto known = make_ast(ast::IsNull{column("MILLRACE_TIME"), true}, window_.span);
    from_.node = make_node(FilterNode{from_.node, bind_predicate(binder, known, scope_, "WINDOW")});
  }

  std::size_t add_over(const char* name, const char* function, const char* argument,
                       const std::vector<ast::ExprPtr>& partition) {
    ast::CallModifiers modifiers;
    modifiers.span = window_.span;
    modifiers.over.emplace();
    modifiers.over->span = window_.span;
    modifiers.over->partition = partition;
    const bool whole = partition.size() > keys_.size();
    if (!whole) modifiers.over->order.push_back({column("MILLRACE_TIME"), false, std::nullopt, window_.span});
    ExprBinder binder(context_, scope_);
    FiniteOverNode node{.input = from_.node, .partition = {}, .order = {}, .calls = {}};
    for (const auto& key : partition) node.partition.push_back(bind_item(binder, key, scope_));
    if (!whole) node.order.push_back({bind_item(binder, column("MILLRACE_TIME"), scope_), false, false});
    ast::Call call{.name = {.text = function, .quoted = false, .span = window_.span}, .arguments = {column(argument)}};
    call.modifiers = std::make_shared<const ast::CallModifiers>(std::move(modifiers));
    node.calls.push_back(
        bind_over_call(make_ast(std::move(call), window_.span), node.order, binder, scope_, context_, name));
    from_.node = make_node(std::move(node));
    return name_last(name);
  }

  FiniteFrom& from_;
  const std::vector<ast::ExprPtr>& keys_;
  const ast::Window& window_;
  const BindContext& context_;
  Scope scope_;
};

}  // namespace

std::optional<ast::Window> sessions_of(const ast::Query& query) {
  if (!query.window || query.window->kind != ast::WindowKind::session) return std::nullopt;
  return query.window;
}

void name_sessions(Scope& scope, Span span) {
  ScopeSource& rows = scope.sources.front();
  if (rows.def->kind == RelationKind::table)
    throw SqlError(Code::invalid_window, span, "SESSION takes a stream.").hint("the rows of a table have no sessions");
  for (const char* bound : {"WINDOWSTART", "WINDOWEND"}) {
    if (rows.find(bound) || rows.find_pseudo(bound))
      throw SqlError(Code::invalid_window, span, "The rows have windows already.").hint("group them by WINDOWSTART");
    if (rows.plan) rows.order.push_back(rows.columns.size());
    rows.columns.push_back({bound, Type::bigint(), ColumnRole::value, 0});
  }
}

void add_sessions(FiniteFrom& from, const std::vector<ast::ExprPtr>& keys, const ast::Window& window,
                  const BindContext& context) {
  SessionSteps(from, keys, window, context).add();
}

}  // namespace millrace::inline planner
