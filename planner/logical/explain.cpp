#include <fmt/format.h>
#include <fmt/ranges.h>

#include "planner/logical/plan.h"

namespace millrace::inline planner {
namespace {

template <class Call>
std::string call_text(const Call& call) {
  return fmt::format("{}({})", call.function->name, text_of(call.arguments));
}

template <class Node>
std::string fields_text(const Node& node) {
  std::string text;
  for_each_field<Node>([&](const auto& field) {
    const std::string value = text_of(node.*(field.member));
    if (!field.text.empty() && !value.empty()) text += fmt::format(fmt::runtime(field.text), value);
  });
  if constexpr (requires { node.remark(); }) text += node.remark();
  return text;
}

void write(const NodePtr& node, int depth, std::string& out) {
  out += fmt::format("{}{}{}", std::string(static_cast<std::size_t>(depth) * 2, ' '), node_name(*node),
                     std::visit([](const auto& n) { return fields_text(n); }, node->node));
  out += fmt::format("  [{}{}]\n", node->kind == RelationKind::table ? "table" : "stream",
                     node->window ? " windowed" : "");
  for (const auto& input : inputs_of(*node)) write(input, depth + 1, out);
}

}  // namespace

std::string text_of(const ExprPtr& expr) {
  return expr ? to_string(*expr) : std::string();
}
std::string text_of(const ProjectItem& item) {
  const std::string expr = to_string(*item.expr);
  return expr == item.column.name ? expr : fmt::format("{} := {}", item.column.name, expr);
}
std::string text_of(const TableCall& call) {
  return fmt::format("{} := {}", call.column.name, call_text(call));
}
std::string text_of(const AggregateCall& call) {
  std::string text =
      fmt::format("{}({}{}", call.function->name, call.distinct ? "DISTINCT " : "", text_of(call.arguments));
  if (!call.order.empty()) text += fmt::format(" ORDER BY {}", text_of(call.order));
  if (call.first >= 0) text += fmt::format(" LIMIT {}", call.first);
  text += ")";
  if (call.filter) text += fmt::format(" FILTER (WHERE {})", to_string(*call.filter));
  return text;
}
namespace {
std::string edge_text(OverFrame::Edge edge, std::int64_t by, double real) {
  using Edge = OverFrame::Edge;
  if (edge == Edge::unbounded_preceding) return "UNBOUNDED PRECEDING";
  if (edge == Edge::unbounded_following) return "UNBOUNDED FOLLOWING";
  if (edge == Edge::current_row) return "CURRENT ROW";
  return fmt::format("{} {}", real != 0 ? fmt::format("{}", real) : std::to_string(by),
                     edge == Edge::preceding ? "PRECEDING" : "FOLLOWING");
}
}  // namespace

std::string text_of(const OverCall& call) {
  const OverFrame& frame = call.frame;
  std::string text = fmt::format("{} := {}", call.call.column.name, text_of(call.call));
  if (call.ignore_nulls) text += " IGNORE NULLS";
  if (call.call.function->kind == FunctionKind::window && frame == OverFrame{}) return text;
  return text + fmt::format(" {} {} TO {}", frame.range ? "RANGE" : "ROWS",
                            edge_text(frame.start, frame.start_by, frame.start_real),
                            edge_text(frame.end, frame.end_by, frame.end_real));
}
std::string text_of(const SortKey& key) {
  const bool usual = key.nulls_first == key.descending;
  return text_of(key.expr) + (key.descending ? " DESC" : "") +
         (usual             ? ""
          : key.nulls_first ? " NULLS FIRST"
                            : " NULLS LAST");
}
std::string text_of(const WindowLimit& limit) {
  static constexpr std::string_view kSigns[] = {"=", "<>", "<", "<=", ">", ">="};
  return fmt::format("{} {} {}", pseudo_column_name(limit.bound), kSigns[static_cast<std::size_t>(limit.op)],
                     to_string(*limit.value));
}
std::string text_of(const KeyAccess& access) {
  const std::string limits = text_of(access.limits);
  return fmt::format("({}{}{})", text_of(access.key), limits.empty() ? "" : " ", limits);
}
std::string text_of(bool flag) {
  return flag ? "true" : "";
}
std::string text_of(int count) {
  return count == 0 ? "" : std::to_string(count);
}
std::string text_of(std::int64_t number) {
  return std::to_string(number);
}
std::string text_of(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "";
}
std::string text_of(const std::string& text) {
  return text;
}
std::string text_of(const FormatInfo& format) {
  return format.name;
}
std::string text_of(const ColumnDef& column) {
  return column.name;
}
std::string text_of(const Schema& schema) {
  return schema.columns.empty() ? std::string() : schema.to_string();
}
std::string text_of(const std::vector<std::size_t>& positions) {
  return fmt::format("{}", fmt::join(positions, ", "));
}
std::string text_of(const std::optional<TimestampColumn>& timestamp) {
  return timestamp ? fmt::format("column {}", timestamp->column) : "";
}
std::string text_of(const std::optional<WindowInfo>& window) {
  return window ? fmt::format("{} ms", window->size_ms.value_or(0)) : "";
}
std::string text_of(RelationKind kind) {
  return kind == RelationKind::table ? "table" : "stream";
}
std::string text_of(NullKey null_key) {
  return null_key == NullKey::drop ? "drop" : "keep";
}
std::string text_of(EmitPolicy emit) {
  return emit == EmitPolicy::final ? "final" : "";
}
std::string text_of(RankFunction rank) {
  static constexpr std::string_view kNames[] = {"ROW_NUMBER", "RANK", "DENSE_RANK"};
  return std::string(kNames[static_cast<std::size_t>(rank)]);
}
std::string text_of(JoinType type) {
  static constexpr std::string_view kWords[] = {"inner", "left", "right", "full"};
  return std::string(kWords[static_cast<std::size_t>(type)]);
}
std::string text_of(const std::optional<WindowSpec>& window) {
  if (!window) return {};
  const std::string_view clock = window->by_clock ? " by the clock" : "";
  switch (window->type) {
    case WindowType::tumbling:
      return fmt::format("tumbling {} ms, grace {} ms{}", window->size_ms, window->grace_ms, clock);
    case WindowType::hopping:
      return fmt::format("hopping {} ms by {} ms, grace {} ms{}", window->size_ms, window->advance_ms, window->grace_ms,
                         clock);
    case WindowType::session:
      return fmt::format("session {} ms, grace {} ms{}", window->size_ms, window->grace_ms, clock);
  }
  return {};
}

std::string explain(const NodePtr& root) {
  std::string out;
  write(root, 0, out);
  return out;
}

}  // namespace millrace::inline planner
