#include <fmt/format.h>

#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/join_builder.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {

/// READY and FOR SYSTEM_TIME AS OF say how rows of a stream meet a table.
void JoinBuilder::check_reading(const JoinSide& left, const JoinStep& step) const {
  const ScopeSource& source = scope_.sources[step.source];
  if (!source.ready && !step.as_of) return;
  const char* word = step.as_of ? "FOR SYSTEM_TIME AS OF" : "READY";
  const Span span = step.clause->source.name.span;
  if (left.node->kind == RelationKind::table)
    throw SqlError(
        Code::invalid_join, span,
        fmt::format("{} joins a stream with a table: {} is a table.", word, scope_.sources[left.sources.front()].alias))
        .hint(step.as_of ? "CHANGES(...) makes a stream of a table" : "leave READY out: tables retract what changes");
  const auto trace = trace_windows(*left.node);
  if (step.clause->grace && is_final() && trace && trace->final)
    throw SqlError(Code::not_supported, step.clause->grace->span,
                   "GRACE PERIOD of FOR SYSTEM_TIME AS OF behind final results is not supported.")
        .hint("leave it out: final results come when their time is over");
}

NodePtr JoinBuilder::make_as_of_join(const JoinSide& left, const JoinSide& right, const JoinStep& step,
                                     Schema keys) const {
  AsOfJoinNode node{left.node, right.node, join_type_of(step.clause->kind), keys.columns.front(), nullptr};
  keys.columns.erase(keys.columns.begin());
  node.more_keys = std::move(keys);
  node.history_ms = *scope_.sources[step.source].def->history_ms;
  // Nobody waits for no time.
  if (step.clause->grace && step.clause->grace->millis > 0) node.grace_ms = step.clause->grace->millis;
  return make_node(std::move(node));
}

/// The time of the version, over what the join gives.
NodePtr JoinBuilder::with_time(const NodePtr& joined, const JoinStep& step) const {
  AsOfJoinNode node = *joined->as<AsOfJoinNode>();
  ExprBinder binder(input_.context, scope_);
  node.time = bind_item(binder, step.as_of, scope_);
  if (node.time->type == Type::integer()) node.time = cast_to(node.time, Type::bigint());
  if (!(node.time->type == Type::bigint()) && !(node.time->type == Type::timestamp()))
    throw SqlError(Code::invalid_join, step.as_of->span,
                   fmt::format("FOR SYSTEM_TIME AS OF takes a BIGINT (milliseconds) or a TIMESTAMP, not {}.",
                               node.time->type.to_string()));
  return make_node(std::move(node));
}

}  // namespace millrace::inline planner
