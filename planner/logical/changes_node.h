#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives each change of a table as a row of a stream: that of an insert or update as it is now, that of a removal as it
/// was. Output schema: that of the input, then what happened: INSERT, UPDATE or DELETE.
struct ChangesNode {
  NodePtr input;

  static constexpr std::string_view kRowKind = "ROWKIND";
  static constexpr NodeTraits kTraits{.name = "changes", .before = Before::always};
  static constexpr auto kInputs = std::tuple(&ChangesNode::input);
  static constexpr auto kFields = std::tuple<>();
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.kind = RelationKind::stream;
    made.schema.columns.push_back(ColumnDef{std::string(kRowKind), Type::string(), ColumnRole::value, std::nullopt});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
