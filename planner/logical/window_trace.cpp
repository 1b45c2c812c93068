#include "planner/logical/window_trace.h"

#include <algorithm>

namespace millrace::inline planner {
namespace {

bool among(const std::vector<std::size_t>& columns, std::size_t column) {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

enum class WindowBound : std::uint8_t { none, start, end };

/// Which bound of the rows' window an expression over them is.
WindowBound bound_of(const ExprPtr& expr, const WindowTrace& below) {
  if (const auto* pseudo = expr->as<PseudoExpr>()) {
    if (pseudo->column == PseudoColumn::window_start) return WindowBound::start;
    if (pseudo->column == PseudoColumn::window_end) return WindowBound::end;
  }
  const auto* column = expr->as<ColumnExpr>();
  if (column == nullptr) return WindowBound::none;
  return below.is_start(column->index) ? WindowBound::start
         : below.is_end(column->index) ? WindowBound::end
                                       : WindowBound::none;
}

/// The same windows, columns left out.
WindowTrace without_columns(const WindowTrace& below) {
  return {.size_ms = below.size_ms, .own = below.own, .starts = {}, .ends = {}, .final = below.final};
}

void add_items(const std::vector<ProjectItem>& items, const WindowTrace& below, WindowTrace& out) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const WindowBound bound = bound_of(items[i].expr, below);
    if (bound == WindowBound::start) out.starts.push_back(i);
    if (bound == WindowBound::end) out.ends.push_back(i);
  }
}

void add_shifted(const WindowTrace& below, std::size_t by, WindowTrace& out) {
  for (const std::size_t column : below.starts) out.starts.push_back(column + by);
  for (const std::size_t column : below.ends) out.ends.push_back(column + by);
}

std::optional<WindowTrace> trace(const PlanNode& node, const AggregateNode& aggregate) {
  WindowTrace made;
  if (aggregate.window) {
    if (aggregate.window->type != WindowType::session) made.size_ms = aggregate.window->size_ms;
    made.own = true;
    made.final = aggregate.emit == EmitPolicy::final && aggregate.stream;
    return made;
  }
  const auto below = trace_windows(*aggregate.input);
  if (!below) return std::nullopt;
  made.size_ms = below->size_ms;
  made.final = aggregate.closing_key && aggregate.stream;
  for (std::size_t key = 0; key < node.schema.key_count() && !aggregate.global; ++key) {
    if (below->is_start(key)) made.starts.push_back(key);
    if (below->is_end(key)) made.ends.push_back(key);
  }
  return made;
}

WindowTrace trace(const RekeyNode& rekey, const WindowTrace& below) {
  WindowTrace made = without_columns(below);
  made.own = rekey.window.has_value();
  if (rekey.window) made.size_ms = rekey.window->size_ms;
  add_items(rekey.keys, below, made);
  add_shifted(below, rekey.keys.size(), made);
  return made;
}

/// Other nodes keep the columns of their first input together.
std::optional<WindowTrace> trace_first(const PlanNode& node) {
  const auto inputs = inputs_of(node);
  const auto first = own_first(node);
  const bool both = node.as<UnionNode>() != nullptr;
  if (inputs.empty() || !first || both) return std::nullopt;
  const auto below = trace_windows(*inputs.front());
  if (!below) return std::nullopt;
  WindowTrace made = without_columns(*below);
  made.own = below->own && node.window.has_value();
  add_shifted(*below, *first, made);
  if (node.as<CloseWindowsNode>()) made.final = true;
  const auto* join = node.as<StreamStreamJoinNode>();
  if (join != nullptr ? !join->window_key : node.kind != RelationKind::stream) made.final = false;
  return made;
}

}  // namespace

bool WindowTrace::is_start(std::size_t column) const {
  return among(starts, column);
}
bool WindowTrace::is_end(std::size_t column) const {
  return among(ends, column);
}

std::optional<WindowTrace> trace_windows(const PlanNode& node) {
  std::optional<WindowTrace> made;
  if (const auto* source = node.as<SourceNode>()) {
    if (source->window) made = WindowTrace{.size_ms = source->window->size_ms, .own = true, .starts = {}};
  } else if (const auto* aggregate = node.as<AggregateNode>()) {
    made = trace(node, *aggregate);
  } else if (const auto* rekey = node.as<RekeyNode>()) {
    if (const auto below = trace_windows(*rekey->input)) made = trace(*rekey, *below);
  } else if (const auto* project = node.as<ProjectNode>()) {
    if (const auto below = trace_windows(*project->input)) {
      made = without_columns(*below);
      add_items(project->items, *below, *made);
    }
  } else {
    made = trace_first(node);
  }
  return made;
}

std::optional<ClosingKey> closing_key_of(const PlanNode& node) {
  const auto trace = trace_windows(node);
  if (!trace || !trace->final) return std::nullopt;
  const std::int64_t size = trace->size_ms.value_or(1);
  const std::size_t keys = node.schema.key_count();
  for (std::size_t key = 0; key < keys; ++key)
    if (trace->is_end(key)) return ClosingKey{static_cast<std::int64_t>(key), 0, size};
  for (std::size_t key = 0; key < keys && trace->size_ms; ++key)
    if (trace->is_start(key)) return ClosingKey{static_cast<std::int64_t>(key), *trace->size_ms, size};
  return std::nullopt;
}

std::optional<std::int64_t> kept_for(const PlanNode& node) {
  if (const auto* aggregate = node.as<AggregateNode>()) {
    if (aggregate->window) return aggregate->window->retention_ms;
    if (aggregate->closing_key && aggregate->emit == EmitPolicy::changes) return aggregate->closes_after;
  }
  if (const auto* source = node.as<SourceNode>()) return source->retention_ms;
  std::optional<std::int64_t> most;
  for (const NodePtr& input : inputs_of(node))
    if (const auto kept = input->window || node.window ? kept_for(*input) : std::nullopt)
      most = std::max(most.value_or(0), *kept);
  return most;
}

bool needs_time(const PlanNode& node, std::size_t input, bool above) {
  if (const auto* aggregate = node.as<AggregateNode>())
    return (aggregate->closing_key && aggregate->emit == EmitPolicy::final) ||
           (aggregate->window && aggregate->window->by_clock);
  if (const auto* join = node.as<StreamStreamJoinNode>())
    return (input == 0 ? join->left_window_ms : join->right_window_ms).has_value();
  if (node.as<CloseRanksNode>()) return true;
  const bool table_side =
      input == 1 && (node.as<StreamTableJoinNode>() || node.as<BroadcastJoinNode>() || node.as<AsOfJoinNode>());
  return above && !table_side;
}

namespace {

/// Rows go through it one by one, with their times.
bool passes_rows(const PlanNode& node) {
  return node.as<FilterNode>() || node.as<ProjectNode>() || node.as<FlatMapNode>() || node.as<UnnestNode>() ||
         node.as<LateNode>() || node.as<RekeyNode>() || node.as<RepartitionNode>();
}

}  // namespace

bool can_align(const PlanNode& node, std::size_t input, bool above) {
  const auto* aggregate = node.as<AggregateNode>();
  if (aggregate != nullptr) return aggregate->window && !aggregate->window->by_clock;
  if (const auto* join = node.as<StreamStreamJoinNode>())
    return !join->left_window_ms && !join->right_window_ms && !join->window_key;
  if (node.as<TimeSortNode>() || node.as<DedupNode>()) return true;
  return above && input == 0 && passes_rows(node);
}

bool time_is_told(const PlanNode& input) {
  if (const auto* source = input.as<SourceNode>()) return source->aligned;
  return passes_rows(input) && time_is_told(*inputs_of(input).front());
}

}  // namespace millrace::inline planner
