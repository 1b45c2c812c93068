#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parser/ast/expression.h"

namespace millrace::inline parser::ast {

struct SelectExpr {
  ExprPtr expr;
  std::optional<Identifier> alias;
  Span span;
};
struct SelectStar {  // `*` or `source.*`
  std::optional<Identifier> qualifier;
  Span span;
};
struct SelectStructStar {  // `expr->*`
  ExprPtr base;
  Span span;
};
using SelectItem = std::variant<SelectExpr, SelectStar, SelectStructStar>;

enum class JoinKind : std::uint8_t { inner, left, right, full };
/// WITHIN n unit sets before = after. WITHIN UNBOUNDED leaves both empty.
struct Within {
  Duration before, after;
  std::optional<Duration> grace;
  Span span;
  bool unbounded = false;
  std::optional<Duration> ttl = {};          // of WITHIN UNBOUNDED
  std::optional<Identifier> late_into = {};  // behind the grace
};
/// READY(t): nothing is joined before t has been read. BROADCAST(t): every task holds all of t.
enum class Reading : std::uint8_t { plain, ready, broadcast };

enum class WindowKind : std::uint8_t { tumbling, hopping, session };
struct Window {
  WindowKind kind;
  Duration size;                    // the gap of a session window
  std::optional<Duration> advance;  // hopping only
  std::optional<Duration> retention;
  std::optional<Duration> grace;
  std::optional<Identifier> name;
  Span span;
  std::optional<Identifier> late_into = {};  // LATE INTO
  ExprPtr on = nullptr;                      // ON column; null: ROWTIME
  bool on_clock = false;                     // ON PROCTIME
};

/// A source or a query, or what a function makes of it.
struct FromSource {
  Identifier name;  // empty for a query
  std::optional<Identifier> alias;
  Reading reading = Reading::plain;
  ExprPtr as_of = nullptr;               // FOR SYSTEM_TIME AS OF; null when absent
  QueryPtr query = {};                   // null: the source of that name
  bool changes = false;                  // CHANGES(...)
  std::optional<Window> window = {};     // TUMBLE(...), HOP(...), SESSION(...)
  std::vector<Identifier> columns = {};  // names behind the alias; empty: those of what is read
  ExprPtr unnest = nullptr;              // UNNEST(...)
  bool ordinality = false;               // of UNNEST: WITH ORDINALITY
  bool absent = false;                   // there is no FROM: the list has one element, which nobody reads
  const Identifier& visible_name() const { return alias ? *alias : name; }
};
struct JoinedSource {
  JoinKind kind;
  FromSource source;
  std::optional<Within> within;
  ExprPtr on;  // null: CROSS JOIN, or USING
  Span span;
  std::optional<Duration> grace = {};    // without WITHIN: of FOR SYSTEM_TIME AS OF
  std::vector<Identifier> columns = {};  // USING (columns)
  bool nearest = false;                  // ASOF JOIN
};
/// first JOIN joins[0] JOIN joins[1] ..., left-deep.
struct From {
  FromSource first;
  std::vector<JoinedSource> joins;
};

enum class Emit : std::uint8_t { none, changes, final };

/// GROUP BY exprs, ROLLUP (sets) and its kind; each item of ROLLUP and CUBE is a list as well.
enum class GroupingKind : std::uint8_t { plain, sets, rollup, cube };
struct Grouping {
  std::vector<ExprPtr> exprs;
  Span span;
  GroupingKind kind = GroupingKind::plain;
  std::vector<std::vector<ExprPtr>> sets = {};
};

struct NamedWindow {
  Identifier name;
  Over spec;
};
/// Of SELECT DISTINCT ON (exprs) WITHIN n unit.
struct DistinctOn {
  std::vector<ExprPtr> exprs;
  std::optional<Duration> within, grace;
  Span span;
  std::optional<Identifier> late_into = {};
};

/// `name (columns) AS (query)`
struct NamedQuery {
  Identifier name;
  std::vector<Identifier> columns;  // empty: those of the query
  QueryPtr query;
  Span span;
};

/// How the rows of branches come together, from left to right.
enum class SetOperation : std::uint8_t { union_all, union_distinct, except, intersect };

/// ORDER BY, EMIT, LIMIT and OFFSET are those of the whole where there are further branches.
struct Query {
  bool distinct = false;
  std::optional<DistinctOn> distinct_on;  // distinct, with ON or WITHIN
  std::vector<SelectItem> items;
  From from;
  std::optional<Window> window;
  ExprPtr where;  // null when absent
  std::optional<Grouping> group_by;
  std::optional<Grouping> partition_by;
  ExprPtr having;  // null when absent
  std::vector<NamedWindow> windows;
  ExprPtr qualify;  // null when absent
  std::vector<SortItem> order_by;
  Emit emit = Emit::none;
  std::optional<std::int64_t> limit;
  std::optional<std::int64_t> offset;
  Span span;
  std::vector<NamedQuery> with = {};
  std::vector<QueryPtr> branches = {};  // further ones: SELECT to HAVING of each
  SetOperation combine = SetOperation::union_all;
  std::optional<Duration> every = {};        // EMIT CHANGES EVERY
  std::optional<Duration> final_grace = {};  // EMIT FINAL GRACE PERIOD
  std::optional<Identifier> late_into = {};  // behind that
};

}  // namespace millrace::inline parser::ast
