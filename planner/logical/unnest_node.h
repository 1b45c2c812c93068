#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// Gives each row once for every element of an array (of a map: for every entry), the element's columns behind its own:
/// UNNEST in FROM. What becomes of a stream keeps its key; a table's rows are told apart by which element they have, so
/// that it is the last of the key's columns.
/// Output schema: of a stream the input's columns, then `elements`. Of a table the key columns and the element's
/// number, then all of the input's columns, then `elements`.
struct UnnestNode {
  NodePtr input;
  ExprPtr list;        // ARRAY or MAP
  Schema elements;     // its element (of a map key and value), then with `ordinality` its number from 1 (BIGINT)
  bool outer = false;  // a row without elements stays, with NULLs (and no number)
  bool ordinality = false;

  static constexpr std::string_view kNumber = "ORDINALITY";  // the key column of a table
  static constexpr NodeTraits kTraits{.name = "unnest", .before = Before::always};
  static constexpr auto kInputs = std::tuple(&UnnestNode::input);
  static constexpr auto kFields =
      std::tuple(Field("list", &UnnestNode::list, " {}"), Field("elements", &UnnestNode::elements, " as {}"),
                 Field("outer", &UnnestNode::outer, " outer").optional(),
                 Field("ordinality", &UnnestNode::ordinality, kNotShown).optional());
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive(const Relation& from) const {
    Relation made = from;
    if (from.kind == RelationKind::table) {
      made.schema.columns = from.schema.keys();
      made.schema.columns.push_back({.name = std::string(kNumber), .type = Type::bigint(), .role = ColumnRole::key});
      made.append_as_values(from);
    }
    made.append_as_values(Relation{.schema = elements});
    return made;
  }
  std::optional<std::size_t> own_first(const Relation& from) const {
    return from.kind == RelationKind::table ? from.schema.key_count() + 1 : 0;
  }
};

}  // namespace millrace::inline planner
