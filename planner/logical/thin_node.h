#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Leaves out rows of a stream that others of one key make count for nothing behind the repartition above: all but the
/// first `most` in `order` (equal ones as they come), or (`most` is 0) those before one that is not older and has none
/// of the values `last` NULL. Which rows it compares is up to the operator: those of a batch. Inserted by a rule.
struct ThinNode {
  NodePtr input;
  std::vector<SortKey> order;
  std::int64_t most = 0;
  std::vector<ExprPtr> last;

  static constexpr NodeTraits kTraits{.name = "thin", .upgrade = Upgrade::free};
  static constexpr auto kInputs = std::tuple(&ThinNode::input);
  static constexpr auto kFields =
      std::tuple(Field("order", &ThinNode::order, " by {}"), Field("most", &ThinNode::most, " limit {}"),
                 Field("last", &ThinNode::last, " to the last of {}"));
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const { return from; }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
