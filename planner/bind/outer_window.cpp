#include "planner/bind/outer_window.h"

#include "planner/bind/expr_binder.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {
namespace {

ExprPtr calculate(ArithmeticOp op, ExprPtr left, std::int64_t right) {
  return make_expr(ArithmeticExpr{op, std::move(left), make_literal(Value(right), Type::bigint())}, Type::bigint(), {});
}

}  // namespace

std::optional<OuterWindow> OuterWindow::of(const SelectInput& input, const std::optional<WindowSpec>& window,
                                           const KeyedPlan& plan) {
  const auto trace = window ? trace_windows(*plan.node) : std::nullopt;
  if (!trace || !trace->own || !plan.node->window) return std::nullopt;
  if (plan.node->kind == RelationKind::table) return over_table(input, *window);
  if (!input.final() || !trace->final) return std::nullopt;
  const auto refuse = [&](const char* message, const char* hint) {
    throw SqlError(Code::not_supported, input.query.window->span, message).hint(hint);
  };
  if (!input.final_stream) refuse("A WINDOW over final results of windows gives a stream.", "write CREATE STREAM");
  if (!input.query.group_by)
    refuse("A WINDOW over final results of windows needs GROUP BY.", "group by an expression of the results");
  if (window->type != WindowType::tumbling)
    refuse("Only TUMBLING windows are supported over final results of windows yet.", "write WINDOW TUMBLING");
  if (!trace->size_ms)
    refuse("A WINDOW over final results of sessions is not supported yet.", "a session has no end that is known");
  // Otherwise one below may begin in this window and end behind it.
  if (plan.node->window->type != WindowType::tumbling || window->size_ms % *trace->size_ms != 0)
    refuse("The SIZE of a WINDOW over final results must be a multiple of that of TUMBLING windows below.",
           "group by an expression of WINDOWSTART instead");
  OuterWindow made;
  made.spec_ = *window;
  return made;
}

/// Changes of windows: whatever one below takes, and takes back, its outer window does too.
OuterWindow OuterWindow::over_table(const SelectInput& input, const WindowSpec& window) {
  const ast::Window& clause = *input.query.window;
  const auto refuse = [&](const char* message, const char* hint) {
    throw SqlError(Code::not_supported, clause.span, message).hint(hint);
  };
  if (!input.query.group_by)
    refuse("A WINDOW over a table with windows needs GROUP BY.", "group by an expression of its rows");
  if (window.type == WindowType::session)
    refuse("A SESSION over a table with windows is not supported.", "write WINDOW TUMBLING or HOPPING");
  if (clause.grace)
    refuse("A WINDOW over a table with windows takes all that the table takes: it has no GRACE PERIOD of its own.",
           "leave it out");
  OuterWindow made;
  made.spec_ = window;
  made.table_ = true;
  return made;
}

NodePtr OuterWindow::spread(NodePtr rows) {
  if (!table_ || spec_.type != WindowType::hopping) return rows;
  WindowRowsNode node{.input = std::move(rows), .size_ms = spec_.size_ms, .advance_ms = spec_.advance_ms, .time = {}};
  node.time.push_back({ColumnDef{.name = "TIME", .type = Type::bigint()},
                       make_expr(PseudoExpr{PseudoColumn::window_start}, Type::bigint(), {})});
  NodePtr made = make_node(std::move(node));
  start_at_ = made->schema.size() - 2;
  return made;
}

ProjectItem OuterWindow::start() const {
  const ColumnDef column{.name = "OUTER_WINDOWSTART", .type = Type::bigint(), .role = ColumnRole::key};
  if (start_at_) return {column, make_column(*start_at_, Type::bigint(), "WINDOWSTART")};
  const ExprPtr inner = make_expr(PseudoExpr{PseudoColumn::window_start}, Type::bigint(), {});
  return {column, make_expr(ArithmeticExpr{ArithmeticOp::subtract, inner,
                                           calculate(ArithmeticOp::modulo, inner, spec_.size_ms)},
                            Type::bigint(), {})};
}

void OuterWindow::close(AggregateNode& grouped, std::size_t keys) const {
  grouped.window.reset();
  grouped.closing_key = static_cast<std::int64_t>(keys);
  grouped.closes_after = table_ ? spec_.retention_ms : spec_.size_ms;
  grouped.closing_size = spec_.size_ms;
}

NodePtr OuterWindow::with_window(NodePtr grouped, std::size_t keys) const {
  RekeyNode rekey{grouped, column_items(grouped->schema, keys), NullKey::keep};
  rekey.window = WindowInfo{.type = spec_.type, .size_ms = spec_.size_ms};
  rekey.window_start = make_column(keys, Type::bigint(), "WINDOWSTART");
  rekey.window_end = calculate(ArithmeticOp::add, rekey.window_start, spec_.size_ms);
  return make_node(std::move(rekey));
}

}  // namespace millrace::inline planner
