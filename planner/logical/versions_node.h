#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Every row that a table with versions has had, as rows of a stream, of an input that ends.
/// Output schema: the columns of the table, whether the row was removed then, and the how manieth it is.
struct VersionsNode {
  NodePtr input;

  static constexpr std::string_view kGone = "MILLRACE_GONE", kOrder = "MILLRACE_ORDER";
  static constexpr NodeTraits kTraits{.name = "versions", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&VersionsNode::input);
  static constexpr auto kFields = std::tuple<>();
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.kind = RelationKind::stream;
    made.schema.columns.push_back({.name = std::string(kGone), .type = Type::boolean()});
    made.schema.columns.push_back({.name = std::string(kOrder), .type = Type::bigint()});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
