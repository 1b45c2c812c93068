#include "planner/bind/finite_sessions.h"

#include <memory>

#include "parser/syntax/parse.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/from_windows.h"
#include "planner/bind/select_over.h"
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
    add_over({{"MILLRACE_BEFORE", "LAG", "MILLRACE_TIME"}}, keys_, true);
    const auto distance = make_ast(
        ast::Binary{ast::BinaryOp::subtract, column("MILLRACE_TIME"), column("MILLRACE_BEFORE")}, window_.span);
    const auto goes_on =
        make_ast(ast::Comparison{ast::CompareOp::less_equal, distance, number(window_.size.millis)}, window_.span);
    add_column("MILLRACE_BEGINS",
               make_ast(ast::Case{nullptr, {{goes_on, number(0), window_.span}}, number(1)}, window_.span));
    add_over({{"MILLRACE_NUMBER", "SUM", "MILLRACE_BEGINS"}}, keys_, true);
    std::vector<ast::ExprPtr> session = keys_;
    session.push_back(column("MILLRACE_NUMBER"));
    const std::size_t bounds = add_over(
        {{"MILLRACE_START", "MIN", "MILLRACE_TIME"}, {"MILLRACE_END", "MAX", "MILLRACE_TIME"}}, session, false);
    for (auto& shown : from_.scope.sources.front().columns) {
      if (shown.name == "WINDOWSTART") shown.position = bounds;
      if (shown.name == "WINDOWEND") shown.position = bounds + 1;
    }
  }

 private:
  ast::ExprPtr column(const char* name) const { return make_ast_column(kRows, name, window_.span); }
  ast::ExprPtr number(std::int64_t value) const { return make_ast(ast::BigintLiteral{value}, window_.span); }

  void add_name(const char* name, std::size_t at) {
    scope_.sources.back().columns.push_back({name, from_.node->schema.columns[at].type, ColumnRole::value, at});
  }

  void add_column(const char* name, const ast::ExprPtr& expr) {
    ExprBinder binder(context_, scope_);
    ExprPtr value = bind_item(binder, expr, scope_);
    ProjectNode more{from_.node, column_items(from_.node->schema)};
    more.items.push_back({ColumnDef{.name = name, .type = value->type}, std::move(value)});
    from_.node = make_node(std::move(more));
    add_name(name, from_.node->schema.size() - 1);
  }

  void add_time() {
    const ScopeSource& rows = from_.scope.sources.front();
    ast::ExprPtr time;
    if (window_.on) {
      time = qualify(window_.on, from_.scope);
      if (window_time(context_, rows, window_)->type == Type::timestamp())
        time = make_ast_call("UNIX_TIMESTAMP", {time}, window_.span);
    } else if (rows.pseudo_positions.contains(PseudoColumn::row_time)) {
      time = make_ast_column(rows.alias, "ROWTIME", window_.span);
    } else {
      throw SqlError(Code::invalid_window, window_.span, "These rows have no ROWTIME.")
          .hint("WINDOW SESSION (..., ON column)");
    }
    add_column("MILLRACE_TIME", make_ast(ast::Cast{time, parse_type("BIGINT")}, window_.span));
    ExprBinder binder(context_, scope_);
    const auto known = make_ast(ast::IsNull{column("MILLRACE_TIME"), true}, window_.span);
    from_.node = make_node(FilterNode{from_.node, bind_predicate(binder, known, scope_, "WINDOW")});
  }

  struct Step {
    const char *name, *function, *argument;
  };
  /// Columns over the rows of a partition, up to each row if `ordered`, in one go. Where the first stands.
  std::size_t add_over(const std::vector<Step>& steps, const std::vector<ast::ExprPtr>& partition, bool ordered) {
    ExprBinder binder(context_, scope_);
    FiniteOverNode node{.input = from_.node, .partition = {}, .order = {}, .calls = {}};
    for (const auto& key : partition) node.partition.push_back(bind_item(binder, key, scope_));
    ast::CallModifiers modifiers;
    modifiers.span = window_.span;
    modifiers.over.emplace();
    modifiers.over->span = window_.span;
    modifiers.over->partition = partition;
    if (ordered) {
      const ast::ExprPtr time = column("MILLRACE_TIME");
      modifiers.over->order.push_back({time, false, std::nullopt, window_.span});
      node.order.push_back({bind_item(binder, time, scope_), false, false});
    }
    const auto over = std::make_shared<const ast::CallModifiers>(std::move(modifiers));
    for (const Step& step : steps) {
      ast::Call call = *make_ast_call(step.function, {column(step.argument)}, window_.span)->as<ast::Call>();
      call.modifiers = over;
      node.calls.push_back(
          bind_over_call(make_ast(std::move(call), window_.span), node.order, binder, scope_, context_, step.name));
    }
    const std::size_t first = from_.node->schema.size();
    from_.node = make_node(std::move(node));
    for (std::size_t i = 0; i < steps.size(); ++i) add_name(steps[i].name, first + i);
    return first;
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
