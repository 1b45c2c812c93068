#pragma once

#include <set>
#include <string>
#include <vector>

#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// The joins' criteria, and which columns may name the key of the result. When none may, `scope` gets a
/// synthetic key.
void analyse_joins(const SelectInput& input, Scope& scope, Clauses& clauses);

/// Whether both sides are final results of windows that meet in equal windows: finds the equalities of their bounds in
/// `step`, and adds them where ON says nothing about windows.
void match_windows(const Scope& scope, JoinStep& step);

/// One input of a join that is being built.
struct JoinSide {
  NodePtr node;
  std::vector<std::size_t> sources;  // indices in the scope
  bool rekeyed = false;
  FormatInfo key_format;
  int partitions = 1;
};

/// What a JOIN is checked against: throws for kinds, windows and types that do not fit each other.
class JoinChecks {
 public:
  JoinChecks(const Scope& scope, const JoinSide& left, const JoinSide& right, const JoinStep& step)
      : scope_(scope), left_(left), right_(right), step_(step) {}

  void check_kinds() const;
  void check_windows() const;
  void check_partitions() const;
  void check_foreign_key() const;
  void check_key_types(const JoinEquality& equality, const Type& left, const Type& right) const;
  bool tables() const;

 private:
  [[noreturn]] void fail(const std::string& message) const;
  void check_unbounded() const;
  const std::string& describe(const JoinSide& side) const;

  const Scope& scope_;
  const JoinSide& left_;
  const JoinSide& right_;
  const JoinStep& step_;
};

/// True when that side of the equalities is the whole key of the source, column by column.
bool is_whole_key(const Scope& scope, const JoinStep& step, std::size_t source, ast::ExprPtr JoinEquality::*side);

}  // namespace millrace::inline planner
