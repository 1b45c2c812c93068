#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/scope.h"

namespace millrace::inline planner {

/// Where key columns of a result come from: decides how errors name them.
enum class KeyOrigin : std::uint8_t { source, join, foreign_key, grouping, partitioning };

/// One key column of the relation below the projection.
struct KeySlot {
  std::size_t position = 0;
  Type type;
  std::vector<ast::ExprPtr> candidates;  // qualified expressions that stand for it, best first
};

/// One item of the projection, star expanded.
struct OutputItem {
  std::string name;
  ast::ExprPtr expr;  // qualified
};

/// The query part of a statement, bound up to its projection.
struct BoundSelect {
  NodePtr root;                    // a ProjectNode
  std::vector<std::size_t> order;  // positions of the root's columns in SELECT order
  std::vector<const SourceDef*> sources;
  FormatInfo key_format;  // what the result's key would inherit
  bool null_key = false;  // PARTITION BY NULL
  bool windowed_final = false;
  bool structured_aggregates = false;  // an accumulator holds an array, map or struct
  ast::Query rewritten;                // as error messages and catalogs print it
};

class SelectBinder {
 public:
  /// `sink` names the result of a persistent query; empty for push queries.
  SelectBinder(const ast::Query& query, const BindContext& context, std::string sink);
  BoundSelect bind();
  /// Called with the columns of the projection before the key is looked for in it: for checks that come first.
  std::function<void(const Schema&)> on_projection;
  /// The query as a pull query: rows of one source, no plan.
  BoundPull bind_pull();

 private:
  struct JoinStep {
    const ast::JoinedSource* clause;
    std::size_t source;        // index in scope_.sources
    ast::ExprPtr left, right;  // qualified; left belongs to what stands left of the JOIN
    std::string printed;       // `A.X = B.Y` as written
  };
  struct Side {
    NodePtr node;
    std::vector<std::size_t> sources;
    bool rekeyed = false;
    FormatInfo key_format;
    int partitions = 1;
  };
  bool persistent() const { return !sink_.empty(); }

  // select_sources.cpp
  void open_sources();
  void check_source_names() const;
  void qualify_clauses();
  void check_clauses() const;
  void check_plain() const;
  void check_functions() const;
  NodePtr make_leaf(std::size_t source);
  void bind_single();
  std::set<PseudoColumn> used_pseudo_columns(const ScopeSource& source) const;
  std::vector<const ast::ExprPtr*> clause_roots() const;

  // select_items.cpp
  void expand_items();
  void expand_star(const ast::SelectStar& star);
  void add_key_first_star();
  void add_source_columns(const ScopeSource& source);
  void add_star_column(const ScopeSource& source, const std::string& name);
  void expand_struct_star(const ast::SelectStructStar& star);
  std::string item_name(const ast::ExprPtr& expr);
  std::string column_item_name(const ast::ColumnRef& column) const;
  std::string next_generated_name();
  std::string field_item_name(const std::string& field);
  void check_item_names() const;
  bool is_partition_expr(const ast::ExprPtr& expr) const;

  // select_joins.cpp, join_nodes.cpp
  void analyse_joins();
  JoinStep analyse_join(std::size_t index);
  std::set<std::string> sources_of(const ast::ExprPtr& expr) const;
  void find_viable_keys();
  void check_join_formats() const;
  void build_joins();
  Side build_join(Side left, Side right, const JoinStep& step, std::vector<ast::ExprPtr>& equivalent);
  void check_join_kinds(const Side& left, const Side& right, const JoinStep& step) const;
  void check_join_windows(const Side& left, const Side& right, const JoinStep& step) const;
  void check_key_types(const Type& left, const Type& right, const JoinStep& step, bool tables) const;
  bool is_only_key(const ast::ExprPtr& expr, std::size_t source) const;
  void rekey_side(Side& side, const ast::ExprPtr& expr, const std::string& name);
  void shift_sources(const std::vector<std::size_t>& sources, std::size_t by);
  Side join_foreign_key(Side left, Side right, const JoinStep& step, std::vector<ast::ExprPtr>& equivalent);
  NodePtr make_join(const Side& left, const Side& right, const JoinStep& step, const ColumnDef& key) const;
  const std::string& describe(const Side& side) const;
  bool plain_tables(const Side& left, const Side& right) const;

  // select_project.cpp
  void filter();
  void flat_map();
  void partition();
  void check_partition() const;
  void project(ExprBinder& binder);
  void check_keys(const std::vector<std::vector<std::size_t>>& matches, bool may_miss) const;
  [[noreturn]] void fail_missing_keys(const std::vector<std::size_t>& missing) const;
  [[noreturn]] void fail_repeated_key(const KeySlot& slot, const std::vector<std::size_t>& items) const;
  ProjectItem value_item(ExprBinder& binder, const OutputItem& item) const;
  bool is_current_key(const std::vector<ast::ExprPtr>& exprs) const;
  std::string key_name(const ast::ExprPtr& expr);
  void rekey(const std::vector<ast::ExprPtr>& exprs, NullKey null_key);

  // select_aggregate.cpp
  void aggregate();
  bool is_call_of(const ast::Expression& expr, FunctionKind kind) const;
  bool has_aggregate(const ast::ExprPtr& expr) const;
  bool is_grouped(const ast::ExprPtr& expr) const;
  void check_grouping() const;
  void check_group_expr(const ast::ExprPtr& expr) const;
  void check_non_aggregates() const;
  void check_aggregate_sources() const;
  void check_nested(const ast::ExprPtr& expr) const;
  AggregateCall bind_aggregate(const ast::Call& call, const ast::ExprPtr& expr);
  std::vector<Value> take_constants(const ast::Call& call, ExprBinder::BoundCall& bound) const;
  void collect_aggregates(const ast::ExprPtr& expr);
  void check_undo() const;
  ExprPtr replace_grouped(const ast::ExprPtr& expr, bool select);
  std::optional<WindowSpec> window_spec() const;

  // pull_query.cpp
  void check_pull_clauses() const;
  void check_pull_columns() const;
  ExprPtr bind_pull_predicate();
  void check_key_literals(const ast::ExprPtr& expr) const;
  const ColumnDef* key_column(const ast::ExprPtr& expr) const;

  void set_rewritten(BoundSelect& result) const;

  const ast::Query& query_;
  const BindContext& context_;
  std::string sink_;
  Scope scope_;
  std::vector<OutputItem> items_;
  std::vector<JoinStep> joins_;
  ast::ExprPtr where_, having_;
  std::vector<ast::ExprPtr> group_, partition_;
  bool aggregated_ = false;
  bool pull_ = false;

  NodePtr node_;
  std::vector<KeySlot> keys_;
  KeyOrigin origin_ = KeyOrigin::source;
  FormatInfo key_format_;
  std::vector<ast::ExprPtr> viable_;  // joins: columns that may name the key
  std::vector<ProjectItem> output_;
  std::vector<std::size_t> order_;
  std::vector<ast::ExprPtr> table_calls_;  // replaced calls, in order
  std::size_t table_call_base_ = 0;        // position of the first one's column
  std::vector<TableCall> bound_table_calls_;
  std::vector<ast::ExprPtr> aggregates_;  // distinct calls, in order
  std::vector<AggregateCall> aggregate_calls_;

  std::set<int> used_generated_;
  int next_generated_ = 0;
  std::map<std::string, std::set<int>> used_fields_;
};

/// `a`, `a and b`, `a, b and c`.
std::string join_words(const std::vector<std::string>& words, const std::string& last);

}  // namespace millrace::inline planner
