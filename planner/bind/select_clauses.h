#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/scope.h"

namespace millrace::inline planner {

class NamedQueries;

/// The query that is bound. Borrowed by the binders of its clauses, which live shorter.
struct SelectInput {
  const ast::Query& query;
  const BindContext& context;
  std::string sink;                     // names the result of a persistent query; empty for push and pull queries
  bool pull = false;                    // rows of one source, no plan
  bool inner = false;                   // a query within another: its key need not be shown
  const NamedQueries* named = nullptr;  // what WITH names here; null: nothing

  bool final_stream = false;                   // EMIT FINAL gives a stream
  std::vector<ast::ExprPtr> window_keys = {};  // GROUP BY with bounds of windows that are given in FROM; none: no such
  bool within_final = false;                   // EMIT FINAL stands around it: what its windows give is final

  /// The rows stay, or go into a query around: every group needs a key.
  bool kept() const { return persistent() || inner; }
  bool final() const { return query.emit == ast::Emit::final || within_final; }
  bool persistent() const { return !sink.empty(); }
};

/// One item of the projection, star expanded.
struct OutputItem {
  std::string name;
  ast::ExprPtr expr;  // qualified
};

/// `left = right`, qualified; left belongs to what stands left of the JOIN.
struct JoinEquality {
  ast::ExprPtr left, right;
};
/// One JOIN with its criteria taken apart.
struct JoinStep {
  const ast::JoinedSource* clause;
  std::size_t source;            // index in the scope's sources
  std::vector<JoinEquality> on;  // what rows are brought together by; none only with BROADCAST
  ast::ExprPtr rest;             // what must hold too, qualified; null: nothing
  std::string printed;           // `A.X = B.Y` as written
  bool pairs = false;            // two tables of which neither need be found by its primary key
  bool broadcast = false;        // the right side is read whole by every task
  bool elements = false;         // the right side are the elements of a list of each left row
  ast::ExprPtr list = {};        // that list, qualified
  ast::ExprPtr as_of = {};       // the time of the version that a left row meets, qualified; null: the newest
  /// Final results of windows meet those of the same window: the equalities of the bounds.
  std::optional<std::size_t> window_start = {}, window_end = {};
};

/// The clauses of a query with every name resolved.
struct Clauses {
  std::vector<OutputItem> items;
  std::vector<JoinStep> joins;
  std::vector<std::vector<ast::ExprPtr>> viable_keys;  // joins: for each key column the columns that may name it
  ast::ExprPtr where, having, qualify;                 // null: none
  std::vector<ast::ExprPtr> group, partition;
  std::vector<std::size_t> sets;  // of GROUP BY several sets: bit i: the set has group[i]
  bool aggregated = false;

  /// Every expression of every clause.
  std::vector<const ast::ExprPtr*> roots() const;
};

class ItemNames;
/// Resolves the names of all clauses. Joins may add their synthetic key to `scope`.
Clauses read_clauses(const SelectInput& input, Scope& scope, ItemNames& names);
/// Throws for columns and functions that do not exist and for reserved names.
void check_clauses(const SelectInput& input, const Scope& scope, const Clauses& clauses);
/// Throws when a source has values in a format that is for keys; `clause`: what the query does with them.
void check_value_formats(const Scope& scope, std::string_view clause, Code code, Span span);
/// The query as error messages and catalogs print it.
ast::Query rewrite_query(const SelectInput& input, const Scope& scope, const Clauses& clauses);

bool is_call_of(const FunctionCatalog& functions, const ast::Expression& expr, FunctionKind kind);
/// True when a call of that kind stands in the expression, which may be null.
bool has_call_of(const FunctionCatalog& functions, const ast::ExprPtr& expr, FunctionKind kind);
/// An unqualified WINDOWSTART or WINDOWEND.
bool is_window_bound(const ast::Expression& expr);

/// `a`, `a and b`, `a, b and c`.
std::string join_words(const std::vector<std::string>& words, const std::string& last);

}  // namespace millrace::inline planner
