#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parser/ast/expression.h"
#include "planner/catalog/catalog.h"
#include "planner/logical/expr.h"
#include "planner/logical/relation.h"

namespace millrace::inline planner {

struct ScopeColumn {
  std::string name;
  Type type;
  ColumnRole role = ColumnRole::value;
  std::size_t position = 0;  // in the input schema of the node that is being built
  bool hidden = false;       // a key that a query in FROM does not show: no name reaches it
};

/// One source of a FROM clause.
struct ScopeSource {
  std::string alias;
  const SourceDef* def = nullptr;              // of a query: what it gives, as if it were a source
  NodePtr plan = {};                           // of a query; null: `def` is read
  std::shared_ptr<const SourceDef> made = {};  // `def` of a query
  std::vector<std::size_t> order = {};         // of a query: its columns as it lists them
  std::vector<ScopeColumn> columns;
  bool broadcast = false;  // read whole by every task
  bool versions = false;   // FOR SYSTEM_TIME AS OF stands behind it
  bool ready = false;      // nothing else is read before what it held
  ast::ExprPtr list = {};  // UNNEST: the list whose elements it has, qualified
  /// Its key holds the bounds of these windows as columns, which are those of what it is joined with.
  std::optional<WindowInfo> windows = {};
  /// Joins: pseudo columns that a Project below the join turned into columns, by position.
  std::map<PseudoColumn, std::size_t> pseudo_positions;

  const ScopeColumn* find(std::string_view name) const;
  /// The pseudo column of that name, when this source has it.
  std::optional<PseudoColumn> find_pseudo(std::string_view name) const;
};

std::optional<PseudoColumn> pseudo_column_of(std::string_view name);

/// A column that USING makes one of those of several sources.
struct SharedColumn {
  ast::ExprPtr value;                // qualified
  std::vector<std::string> aliases;  // of the sources, from left to right
};

/// What names mean in a query. Plain data: copied and shifted while the plan grows.
struct Scope {
  std::vector<ScopeSource> sources;
  /// Key columns that no source column holds (ROWKEY): joins on expressions and FULL joins.
  std::vector<ScopeColumn> synthetic_keys;
  /// What functions take decides about words that are units of time as well.
  const FunctionCatalog* functions = nullptr;
  /// Window bounds come from the query's own WINDOW clause.
  bool window_aggregation = false;
  std::map<std::string, SharedColumn> shared = {};  // by name

  const ScopeColumn* find_synthetic(std::string_view name) const;
  bool is_join() const { return sources.size() > 1; }
  const ScopeSource* find_source(std::string_view alias) const;
  /// The shared column that a source's column is a part of; null: none.
  const SharedColumn* find_shared(std::string_view alias, const std::string& name) const;
  bool has_column(std::string_view name) const;  // a real column of any source
  /// Every position is moved up by `count`.
  void shift(std::size_t count);
  /// Column names, for hints.
  std::vector<std::string> column_names() const;
};

/// The name of a source's column in results of a join: `L_A`.
std::string join_column_name(std::string_view alias, std::string_view column);

/// Rewrites column references of `expr` to carry the alias of their source. Unknown columns stay as they are
/// (the caller reports them with its clause name); unknown qualifiers and ambiguous names throw, so do lambda
/// parameters that clash.
ast::ExprPtr qualify(const ast::ExprPtr& expr, const Scope& scope);

/// Throws `Line: l, Col: c: CLAUSE column 'C' cannot be resolved.` for the first unknown column of a qualified
/// expression.
void check_resolved(const ast::ExprPtr& expr, const Scope& scope, const std::string& clause);

/// As messages show an expression: without qualifiers, or `L_A` in a join.
std::string display(const ast::ExprPtr& expr, const Scope& scope);

/// Throws when a source does not exist, with the hints of sql.md. `kind`: before its name in the message.
const SourceDef& require_source(const Catalog& catalog, const ast::Identifier& name, std::string_view kind = {});
/// The two hint lines about the nearest source name, each starting with a newline; empty when none is near.
std::string source_hint(const Catalog& catalog, const std::string& name);

}  // namespace millrace::inline planner
