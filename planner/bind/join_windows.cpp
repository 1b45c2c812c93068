#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/join_builder.h"
#include "planner/logical/window_trace.h"

// Joins of final results of windows.
namespace millrace::inline planner {
namespace {

enum class WindowBound : std::uint8_t { none, start, end };

/// What is known of a source of FROM that gives final results of windows.
struct Windows {
  const ScopeSource* source;
  WindowTrace trace;

  WindowBound bound_of(const ast::ExprPtr& expr) const {
    const auto* column = expr->as<ast::ColumnRef>();
    if (!column || !column->qualifier || column->qualifier->text != source->alias) return WindowBound::none;
    if (const ScopeColumn* found = source->find(column->name.text))
      return trace.is_start(found->position) ? WindowBound::start
             : trace.is_end(found->position) ? WindowBound::end
                                             : WindowBound::none;
    const auto pseudo = source->find_pseudo(column->name.text);
    if (!trace.own || !pseudo) return WindowBound::none;
    return *pseudo == PseudoColumn::window_start ? WindowBound::start
           : *pseudo == PseudoColumn::window_end ? WindowBound::end
                                                 : WindowBound::none;
  }
  /// How a query names the bound; null: it cannot.
  ast::ExprPtr name_of(WindowBound bound, Span span) const {
    if (trace.own)
      return make_ast_column(source->alias, bound == WindowBound::start ? "WINDOWSTART" : "WINDOWEND", span);
    for (const ScopeColumn& column : source->columns) {
      const bool holds = bound == WindowBound::start ? trace.is_start(column.position) : trace.is_end(column.position);
      if (holds && !column.hidden) return make_ast_column(source->alias, column.name, span);
    }
    if (!trace.size_ms) return nullptr;
    const WindowBound other = bound == WindowBound::start ? WindowBound::end : WindowBound::start;
    for (const ScopeColumn& column : source->columns) {
      const bool holds = other == WindowBound::start ? trace.is_start(column.position) : trace.is_end(column.position);
      if (!holds || column.hidden) continue;
      const auto size = make_ast(ast::BigintLiteral{*trace.size_ms}, span);
      const auto op = bound == WindowBound::end ? ast::BinaryOp::add : ast::BinaryOp::subtract;
      return make_ast(ast::Binary{op, make_ast_column(source->alias, column.name, span), size}, span);
    }
    return nullptr;
  }
};

std::optional<Windows> windows_of(const ScopeSource& source) {
  const auto trace = source.plan ? trace_windows(*source.plan) : std::nullopt;
  if (!trace || !trace->final) return std::nullopt;
  return Windows{&source, *trace};
}

/// The source left of the join that an equality speaks of.
const ScopeSource& left_source(const Scope& scope, const JoinStep& step) {
  for (const JoinEquality& equality : step.on) {
    const auto* column = equality.left->as<ast::ColumnRef>();
    if (!column || !column->qualifier) continue;
    if (const ScopeSource* found = scope.find_source(column->qualifier->text); found && windows_of(*found))
      return *found;
  }
  return scope.sources.front();
}

/// Each key column of the source is in an equality.
bool covers_key(const ScopeSource& source, const JoinStep& step, ast::ExprPtr JoinEquality::*side) {
  return std::ranges::all_of(source.columns, [&](const ScopeColumn& column) {
    if (column.role != ColumnRole::key) return true;
    const auto named = make_ast_column(source.alias, column.name, {});
    return std::ranges::any_of(step.on, [&](const JoinEquality& on) { return ast::equal(*(on.*side), *named); });
  });
}

std::vector<KeySlot> key_slots(const ScopeSource& source) {
  std::vector<KeySlot> slots;
  for (const ScopeColumn& column : source.columns)
    if (column.role == ColumnRole::key) slots.push_back({column.position, column.type, {}});
  return slots;
}

}  // namespace

void match_windows(const Scope& scope, JoinStep& step) {
  const auto left = windows_of(left_source(scope, step));
  const auto right = windows_of(scope.sources[step.source]);
  if (!left || !right || step.on.empty()) return;
  bool named = false;
  for (std::size_t i = 0; i < step.on.size(); ++i) {
    const WindowBound a = left->bound_of(step.on[i].left), b = right->bound_of(step.on[i].right);
    named = named || a != WindowBound::none || b != WindowBound::none;
    if (a == WindowBound::start && b == WindowBound::start) step.window_start = i;
    if (a == WindowBound::end && b == WindowBound::end) step.window_end = i;
  }
  const bool alike = left->trace.size_ms && left->trace.size_ms == right->trace.size_ms;
  const bool implied = !named && left->trace.own && right->trace.own;
  const bool half = step.window_start.has_value() != step.window_end.has_value();
  if (!implied && !(half && alike)) {
    if (half) step.window_start = step.window_end = std::nullopt;
    return;
  }
  const auto add = [&](WindowBound bound, std::optional<std::size_t>& at) {
    if (at) return true;
    const Span span = step.clause->on->span;
    const auto a = left->name_of(bound, span), b = right->name_of(bound, span);
    if (!a || !b) return false;
    at = step.on.size();
    step.on.push_back({a, b});
    return true;
  };
  if (!add(WindowBound::start, step.window_start) || !add(WindowBound::end, step.window_end))
    step.window_start = step.window_end = std::nullopt;
}

/// The key of what RIGHT and FULL joins give has to be there without the left row.
void JoinBuilder::check_outer(const JoinSide& left, const JoinStep& step) const {
  const ScopeSource& first = scope_.sources[left.sources.front()];
  const ScopeSource& second = scope_.sources[step.source];
  const bool full = step.clause->kind == ast::JoinKind::full;
  const bool whole =
      left.sources.size() == 1 &&
      (!full || (covers_key(first, step, &JoinEquality::left) && covers_key(second, step, &JoinEquality::right)));
  if (whole) return;
  throw SqlError(Code::not_supported, step.clause->span,
                 full ? "A FULL JOIN of windows needs equalities of all key columns of both sides."
                      : "A RIGHT JOIN of windows behind another join is not supported yet.")
      .hint("write the side whose rows are all wanted first, and LEFT JOIN");
}

/// Where the result of a FULL join has a key column of the left side.
std::size_t JoinBuilder::joined_key(const JoinSide& left, const JoinStep& step, const KeySlot& key) const {
  const ScopeSource& source = scope_.sources[left.sources.front()];
  for (const ScopeColumn& column : source.columns) {
    if (column.role != ColumnRole::key || column.position != key.position) continue;
    for (std::size_t i = 0; i < step.on.size(); ++i)
      if (ast::equal(*step.on[i].left, *make_ast_column(source.alias, column.name, {}))) return i;
  }
  return key.position;
}

/// Rows of one window meet; none of them is late, and the join has come as far in time as the last of its sides.
JoinSide JoinBuilder::join_windows(JoinSide left, JoinSide right, const JoinStep& step) {
  const JoinType type = join_type_of(step.clause->kind);
  if (type == JoinType::right || type == JoinType::full) check_outer(left, step);
  const auto before = trace_windows(*left.node), other = trace_windows(*right.node);
  const bool from_right = type == JoinType::right;
  const std::optional<WindowInfo> window =
      from_right ? (other->own ? right.node->window : std::nullopt) : (before->own ? left.node->window : std::nullopt);
  if (window_keys_.empty()) window_keys_ = key_slots(scope_.sources[from_right ? step.source : left.sources.front()]);
  const auto shift_keys = [this](std::size_t by) {
    for (KeySlot& key : window_keys_) key.position += by;
  };
  const Keys keys = bind_keys(left, right, step);
  const NodePtr& keyed = from_right ? right.node : left.node;
  const std::size_t columns = keyed->schema.size();
  move_sides(left, right, step, keys);
  shift_keys((from_right ? right.node : left.node)->schema.size() - columns);

  StreamStreamJoinNode node{left.node, right.node, type, {}, 0, 0, 0};
  for (std::size_t i = 0; i < step.on.size(); ++i)
    node.more_keys.columns.push_back(
        {.name = fmt::format("KEY_{}", i + 1), .type = keys.left[i]->type, .role = ColumnRole::key});
  node.key = node.more_keys.columns.front();
  node.more_keys.columns.erase(node.more_keys.columns.begin());
  node.final = true;
  node.left_window_ms = before->size_ms.value_or(0);
  node.right_window_ms = other->size_ms.value_or(0);
  node.window_key = static_cast<std::int64_t>(*step.window_end);
  const std::size_t left_size = left.node->schema.size();
  const int partitions = std::max(left.partitions, right.partitions);
  JoinSide joined{make_node(std::move(node)), left.sources, true, from_right ? right.key_format : left.key_format,
                  partitions};
  shift_sources(left.sources, step.on.size());
  shift_sources(right.sources, step.on.size() + left_size);
  shift_keys(step.on.size() + (from_right ? left_size : 0));
  if (type == JoinType::full)  // whichever side is there says them
    for (KeySlot& key : window_keys_) key.position = joined_key(left, step, key);
  joined.sources.push_back(step.source);
  joined.node = with_rest(joined.node, step);
  return with_left_key(std::move(joined), window, step);
}

/// The result has the key of the left side, with its window.
JoinSide JoinBuilder::with_left_key(JoinSide joined, const std::optional<WindowInfo>& window, const JoinStep& step) {
  RekeyNode rekey{joined.node, {}, NullKey::keep};
  for (KeySlot& key : window_keys_) {
    const ColumnDef& column = joined.node->schema.columns[key.position];
    rekey.keys.push_back({ColumnDef{.name = column.name, .type = key.type, .role = ColumnRole::key},
                          make_column(key.position, key.type, column.name)});
  }
  if (window) {
    rekey.window = window;
    rekey.window_start = make_column(*step.window_start, Type::bigint(), "WINDOWSTART");
    rekey.window_end = make_column(*step.window_end, Type::bigint(), "WINDOWEND");
  }
  joined.node = make_node(std::move(rekey));
  shift_sources(joined.sources, window_keys_.size());
  equivalent_.clear();
  for (std::size_t i = 0; i < window_keys_.size(); ++i) {
    window_keys_[i].position = i;
    equivalent_.push_back(i < viable_.size() ? viable_[i] : std::vector<ast::ExprPtr>{});
  }
  return joined;
}

}  // namespace millrace::inline planner
