#include "planner/bind/select_window_time.h"

#include <fmt/format.h>

#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {

void bind_window_time(const SelectInput& input, const Scope& scope, KeyedPlan& plan) {
  const auto& window = input.query.window;
  if (!window || (!window->on && !window->on_clock)) return;
  if (plan.node->kind == RelationKind::table)
    throw SqlError(Code::invalid_window, window->span,
                   "A window of a table goes by the time of its rows: it takes no ON.");
  if (input.pull && window->on_clock)
    throw SqlError(Code::invalid_window, window->span, "A window ON PROCTIME needs a query that goes on.")
        .hint("add EMIT CHANGES");
  RetimeNode retime{plan.node, {}};
  if (window->on) {
    Scope plain = scope;  // the windows are not there yet
    plain.window_aggregation = false;
    const ast::ExprPtr column = qualify(window->on, plain);
    check_resolved(column, plain, "WINDOW");
    ExprBinder binder(input.context, plain);
    ExprPtr bound = bind_item(binder, column, plain);
    const TypeKind kind = bound->type.kind();
    if (kind == TypeKind::integer) bound = cast_to(bound, Type::bigint());
    if (kind != TypeKind::integer && kind != TypeKind::bigint && kind != TypeKind::timestamp)
      throw SqlError(Code::type_mismatch, window->on->span,
                     fmt::format("A window goes by a BIGINT or a TIMESTAMP, not by {}.", bound->type.to_string()));
    retime.time.push_back({ColumnDef{.name = "TIME", .type = bound->type}, std::move(bound)});
  }
  plan.node = make_node(std::move(retime));
}

}  // namespace millrace::inline planner
