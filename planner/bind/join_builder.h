#pragma once

#include <set>
#include <string>
#include <vector>

#include "planner/bind/dialect.h"
#include "planner/bind/select_joins.h"

namespace millrace::inline planner {

/// Builds the joins of one query from left to right.
class JoinBuilder {
 public:
  JoinBuilder(const SelectInput& input, Scope& scope, const Clauses& clauses)
      : input_(input), scope_(scope), clauses_(clauses), viable_(clauses.viable_keys) {}
  KeyedPlan build();

 private:
  JoinSide leaf(std::size_t index);
  std::set<PseudoColumn> used_pseudo_columns(const ScopeSource& source) const;
  JoinSide join(JoinSide left, JoinSide right, const JoinStep& step);
  bool changes_key(const JoinSide& left, const JoinSide& right, const JoinStep& step) const;
  JoinSide join_foreign_key(JoinSide left, JoinSide right, const JoinStep& step);
  void keep_late(const JoinSide& left, const JoinSide& right, const JoinStep& step, StreamStreamJoinNode& node) const;
  NodePtr make_join(const JoinSide& left, const JoinSide& right, const JoinStep& step, Schema keys) const;
  /// The values that rows are brought together by, over the columns of each side, and whether they are its key.
  struct Keys {
    std::vector<ExprPtr> left, right;
    bool left_stays, right_stays;
  };
  Keys bind_keys(const JoinSide& left, const JoinSide& right, const JoinStep& step) const;
  void unify_types(const JoinSide& left, const JoinSide& right, const JoinStep& step, std::size_t at, Keys& keys) const;
  bool is_key(const JoinSide& left, const JoinStep& step) const;
  void move_sides(JoinSide& left, JoinSide& right, const JoinStep& step, const Keys& keys);
  void rekey_side(JoinSide& side, const std::vector<ExprPtr>& exprs, const std::vector<std::string>& names);
  void note_equivalents(const JoinStep& step, bool keep);
  NodePtr with_rest(NodePtr joined, const JoinStep& step) const;
  JoinSide join_broadcast(JoinSide left, JoinSide right, const JoinStep& step);
  JoinSide join_elements(JoinSide left, const JoinStep& step);
  void note_own_key(const JoinSide& left);
  void check_reading(const JoinSide& left, const JoinStep& step) const;
  NodePtr make_as_of_join(const JoinSide& left, const JoinSide& right, const JoinStep& step, Schema keys) const;
  NodePtr with_time(const NodePtr& joined, const JoinStep& step) const;
  void check_outer(const JoinSide& left, const JoinStep& step) const;
  std::size_t joined_key(const JoinSide& left, const JoinStep& step, const KeySlot& key) const;
  JoinSide join_windows(JoinSide left, JoinSide right, const JoinStep& step);
  NodePtr give_back_windows(NodePtr joined);
  JoinSide with_left_key(JoinSide joined, const std::optional<WindowInfo>& window, const JoinStep& step);
  JoinSide join_pairs(JoinSide left, JoinSide right, const JoinStep& step);
  void bind_values(const JoinStep& step, std::vector<ExprPtr>& left, std::vector<ExprPtr>& right) const;
  void shift_sources(const std::vector<std::size_t>& sources, std::size_t by);
  Schema key_columns(const JoinStep& step, const Keys& keys) const;
  /// EMIT FINAL is about the join, not about windows above it.
  bool is_final() const { return input_.final() && !clauses_.aggregated; }
  bool lifted() const { return lifts(Lifted::any_join, input_.context.properties); }

  const SelectInput& input_;
  Scope& scope_;
  const Clauses& clauses_;
  // For each key column of what is joined so far
  std::vector<std::vector<ast::ExprPtr>> viable_;      // columns that may name it
  std::vector<std::vector<ast::ExprPtr>> equivalent_;  // expressions that equal it
  std::vector<KeySlot> keys_;
  std::vector<KeySlot> window_keys_;  // behind a join of windows: of the left side
  KeyOrigin origin_ = KeyOrigin::join;
};

JoinType join_type_of(ast::JoinKind kind);

}  // namespace millrace::inline planner
