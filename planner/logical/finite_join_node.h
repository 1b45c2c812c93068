#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Brings together all rows of two inputs that end: pairs for which the values are equal and the condition holds, in
/// the order of the left rows, then of the right ones. `mark`: each left row once, with whether it has a partner; the
/// right columns are NULL. `single`: more than one partner is an error (a subquery as a value). `nearest`: of several
/// partners the first in this order (ASOF). Expressions are over what the join gives.
/// Output schema: all left columns, all right columns, and with `mark` or `single` whether there is a partner.
struct FiniteJoinNode {
  NodePtr left, right;
  JoinType type;
  std::vector<ExprPtr> left_values = {};  // over left columns: equal to right_values, one by one
  std::vector<ExprPtr> right_values = {};
  ExprPtr condition = {};  // what must hold too; null: nothing
  bool mark = false, single = false;
  std::vector<SortKey> nearest = {};  // none: all

  static constexpr std::string_view kPartner = "MILLRACE_HAS_PARTNER";
  static constexpr NodeTraits kTraits{
      .name = "finite_join", .before = Before::never, .upgrade = Upgrade::refused, .over_output = true};
  static constexpr auto kInputs = std::tuple(&FiniteJoinNode::left, &FiniteJoinNode::right);
  static constexpr auto kFields = std::tuple(
      Field("type", &FiniteJoinNode::type, " {}"), Field("left_values", &FiniteJoinNode::left_values, " on {}"),
      Field("right_values", &FiniteJoinNode::right_values, " = {}"),
      Field("condition", &FiniteJoinNode::condition, " where {}").optional(),
      Field("mark", &FiniteJoinNode::mark, " any"), Field("single", &FiniteJoinNode::single, " at most one"),
      Field("nearest", &FiniteJoinNode::nearest, " nearest by {}").optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  bool tells_partner() const { return mark || single; }
  Relation derive(const Relation& from, const Relation& other) const {
    Relation made{.schema = {}, .kind = RelationKind::stream, .window = {}};
    made.append_as_values(from);
    made.append_as_values(other);
    if (tells_partner()) made.schema.columns.push_back({.name = std::string(kPartner), .type = Type::boolean()});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
