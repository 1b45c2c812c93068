#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/logical/expr.h"
#include "planner/types/schema.h"

/// What the fields of plan nodes are made of, and what may be done with each kind of field. A new type of field needs a
/// row in each of the overload sets here and in planner/physical/json_codec.h; without, nothing compiles.
namespace millrace::inline planner {

struct TimestampColumn {
  std::size_t column;                 // in the declared schema (Source), in the output schema (Sink)
  std::optional<std::string> format;  // java.time pattern, STRING columns only
  friend bool operator==(const TimestampColumn&, const TimestampColumn&) = default;
};

struct ProjectItem {
  ColumnDef column;
  ExprPtr expr;
};
/// The columns of rows as they stand, or the first `count` of them.
std::vector<ProjectItem> column_items(const Schema& schema, std::size_t count = SIZE_MAX);

struct TableCall {
  const FunctionDef* function;
  std::size_t variant;
  std::vector<ExprPtr> arguments;
  ColumnDef column;
};

/// `expr [DESC] [NULLS FIRST]`
struct SortKey {
  ExprPtr expr;
  bool descending = false;
  bool nulls_first = false;
};

struct AggregateCall {
  const FunctionDef* function;
  std::size_t variant;
  std::vector<ExprPtr> arguments;  // over the input's columns, per row
  std::vector<Value> constants;    // the literal init arguments, in order
  ColumnDef column;                // name and type of the result
  std::int64_t limit = -1;         // most values that a collecting aggregate keeps; -1: all
  ExprPtr filter = nullptr;        // FILTER: only rows for which it is TRUE reach the aggregate; null: all do
  bool distinct = false;  // rows whose arguments the group has taken in before do not, nor do those with a NULL
  std::vector<SortKey> order = {};  // rows reach it in this order, however they come; none: as they come
  std::int64_t first = -1;          // and only so many of them; -1: all
};
inline bool any_distinct(const std::vector<AggregateCall>& calls) {
  for (const AggregateCall& call : calls)
    if (call.distinct) return true;
  return false;
}

/// `WINDOWSTART >= value`: a limit that a look-up or a scan puts on the windows of its rows. The value is a literal or
/// a parameter, BIGINT.
struct WindowLimit {
  PseudoColumn bound;  // window_start or window_end
  CompareOp op;
  ExprPtr value;
};
/// A key to look up: a literal or a parameter for each key column, of the column's type; all its windows within limits.
struct KeyAccess {
  std::vector<ExprPtr> key;
  std::vector<WindowLimit> limits = {};
};

/// The rows around a row that a function over a window looks at.
struct OverFrame {
  enum class Edge : std::uint8_t { unbounded_preceding, preceding, current_row, following, unbounded_following };
  bool range = false;  // by the value that rows are ordered by rather than by their number
  Edge start = Edge::unbounded_preceding, end = Edge::unbounded_following;
  /// Of `preceding` and `following`: rows, or what the ordering value differs by at most (of a DECIMAL its digits, of a
  /// TIMESTAMP milliseconds); in `*_real` where it is a DOUBLE.
  std::int64_t start_by = 0, end_by = 0;
  double start_real = 0, end_real = 0;
  friend bool operator==(const OverFrame&, const OverFrame&) = default;
};
/// A call with OVER: an aggregate, or a function that there is for windows only.
struct OverCall {
  AggregateCall call;
  OverFrame frame;
  bool ignore_nulls = false;
};

enum class NullKey : std::uint8_t {
  keep,  // PARTITION BY and joins: a failing or NULL key expression gives a null key
  drop,  // GROUP BY: any NULL among the key columns drops the row, as does a null value
};
enum class EmitPolicy : std::uint8_t { changes, final };
enum class JoinType : std::uint8_t { inner, left, right, full };
enum class RankFunction : std::uint8_t { row_number, rank, dense_rank };

struct WindowSpec {
  WindowType type;
  std::int64_t size_ms;     // the gap of a session window
  std::int64_t advance_ms;  // = size for tumbling
  std::int64_t grace_ms;
  std::int64_t retention_ms;  // >= size + grace
  bool by_clock = false;      // rows have the time when they were taken, and windows close by the clock
  friend bool operator==(const WindowSpec&, const WindowSpec&) = default;
};

// Equality. Expressions are compared by what they say.
inline bool same(const ExprPtr& a, const ExprPtr& b) {
  return a == b || (a && b && equal(*a, *b));
}
inline bool same(const ProjectItem& a, const ProjectItem& b) {
  return a.column == b.column && same(a.expr, b.expr);
}
bool same(const TableCall& a, const TableCall& b);
bool same(const AggregateCall& a, const AggregateCall& b);
bool same(const WindowLimit& a, const WindowLimit& b);
bool same(const KeyAccess& a, const KeyAccess& b);
bool same(const SortKey& a, const SortKey& b);
bool same(const OverCall& a, const OverCall& b);
template <class T>
concept HasParts = std::same_as<T, ExprPtr> || std::same_as<T, ProjectItem> || std::same_as<T, TableCall> ||
    std::same_as<T, AggregateCall> || std::same_as<T, WindowLimit> || std::same_as<T, KeyAccess> ||
    std::same_as<T, SortKey> || std::same_as<T, OverCall>;
template <HasParts T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same(a[i], b[i])) return false;
  return true;
}
/// Fields without expressions.
template <class T>
concept Plain =
    std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, std::string> || std::same_as<T, FormatInfo> ||
    std::same_as<T, ColumnDef> || std::same_as<T, Schema> || std::same_as<T, std::vector<std::size_t>> ||
    std::same_as<T, std::optional<std::int64_t>> || std::same_as<T, std::optional<TimestampColumn>> ||
    std::same_as<T, std::optional<WindowInfo>> || std::same_as<T, std::optional<WindowSpec>>;
template <Plain T>
bool same(const T& a, const T& b) {
  return a == b;
}

// Calls `f` on every expression, by reference.
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, ExprPtr>
void for_each_expr(E& expr, F& f) {
  f(expr);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, ProjectItem>
void for_each_expr(E& item, F& f) {
  f(item.expr);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, TableCall>
void for_each_expr(E& call, F& f) {
  for (auto& argument : call.arguments) f(argument);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, AggregateCall>
void for_each_expr(E& aggregate, F& f) {
  for (auto& argument : aggregate.arguments) f(argument);
  if (aggregate.filter) f(aggregate.filter);
  for (auto& key : aggregate.order) f(key.expr);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, WindowLimit>
void for_each_expr(E& limit, F& f) {
  f(limit.value);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, SortKey>
void for_each_expr(E& key, F& f) {
  f(key.expr);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, OverCall>
void for_each_expr(E& over, F& f) {
  for_each_expr(over.call, f);
}
template <class E, class F>
requires std::same_as<std::remove_const_t<E>, KeyAccess>
void for_each_expr(E& access, F& f) {
  for (auto& part : access.key) f(part);
  for (auto& limit : access.limits) f(limit.value);
}
template <class E, class F>
requires HasParts<typename std::remove_const_t<E>::value_type> &&
    std::same_as<std::remove_const_t<E>, std::vector<typename std::remove_const_t<E>::value_type>>
void for_each_expr(E& list, F& f) {
  for (auto& part : list) for_each_expr(part, f);
}
template <class E, class F>
requires Plain<std::remove_const_t<E>>
void for_each_expr(E&, F&) {}

// As EXPLAIN shows it.
std::string text_of(const ExprPtr& expr);
std::string text_of(const ProjectItem& item);
std::string text_of(const TableCall& call);
std::string text_of(const AggregateCall& call);
std::string text_of(const WindowLimit& limit);
std::string text_of(const KeyAccess& access);
std::string text_of(const SortKey& key);
std::string text_of(const OverCall& call);
template <HasParts T>
std::string text_of(const std::vector<T>& parts) {
  std::string text;
  for (const T& part : parts) text += (text.empty() ? "" : ", ") + text_of(part);
  return text;
}
std::string text_of(bool flag);
std::string text_of(int count);  // empty for 0: not known
std::string text_of(std::int64_t number);
std::string text_of(std::optional<std::int64_t> number);
std::string text_of(const std::string& text);
std::string text_of(const FormatInfo& format);
std::string text_of(const ColumnDef& column);
std::string text_of(const std::optional<WindowSpec>& window);
std::string text_of(const Schema& schema);
std::string text_of(const std::vector<std::size_t>& positions);
std::string text_of(const std::optional<TimestampColumn>& timestamp);
std::string text_of(const std::optional<WindowInfo>& window);
std::string text_of(RelationKind kind);
std::string text_of(NullKey null_key);
std::string text_of(EmitPolicy emit);
std::string text_of(JoinType type);
std::string text_of(RankFunction rank);

}  // namespace millrace::inline planner
