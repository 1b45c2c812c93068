#pragma once

#include "planner/logical/describe.h"

/// A foreign-key join over several partitions (docs/design.md): route -> repartition by foreign key -> meet ->
/// repartition by the left key -> settle. A left row that comes to refer to another right row leaves one partition and
/// comes to another, whose answers arrive in any order: versions tell which is the newest.
namespace millrace::inline planner {

/// What a row between these nodes is about, in its column MARK: one of the first three, and flags.
enum class ForeignKeyMark : std::int32_t {
  row = 0,      // the left row of the key
  left = 1,     // it refers to something else now
  removed = 2,  // it is gone
  kind = 3,     // mask of these
  moved = 4,    // with `row`: from another foreign key; a `left` of the same version is on its way
  no_key = 8,   // with `row`: refers to nothing
};

/// A table's changes, each sent to the foreign key that the row refers to now, and to the one that it referred to.
/// Output: the foreign key (`keys`, over the input), VERSION, MARK, all columns of the input. For each key of the input
/// versions grow.
struct ForeignKeyRouteNode {
  NodePtr input;
  std::vector<ProjectItem> keys;
  bool outer = false;  // rows that refer to nothing are sent too

  static constexpr NodeTraits kTraits{
      .name = "foreign_key_route", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&ForeignKeyRouteNode::input);
  static constexpr auto kFields =
      std::tuple(Field("keys", &ForeignKeyRouteNode::keys, " {}"), Field("outer", &ForeignKeyRouteNode::outer, " all"));
  static constexpr std::array kStores{StoreRole{.role = "keys", .step = "ForeignKeyJoin-keys"}};

  Relation derive(const Relation& from) const {
    Relation made{.schema = {}, .kind = RelationKind::stream, .window = {}};
    for (const ProjectItem& key : keys) {
      made.schema.columns.push_back(key.column);
      made.schema.columns.back().role = ColumnRole::key;
    }
    made.schema.columns.push_back({"VERSION", Type::bigint(), ColumnRole::value, std::nullopt});
    made.schema.columns.push_back({"MARK", Type::integer(), ColumnRole::value, std::nullopt});
    made.append_as_values(from);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return keys.size() + 2; }
};

/// Left rows that were sent to their foreign key meet the right row of that key. Gives what becomes of each left row,
/// match or not. Output: the key of the left row (`keys`, over the left input) twice, then all columns of the inputs.
struct ForeignKeyMeetNode {
  NodePtr left, right;
  std::vector<ProjectItem> keys;
  ExprPtr mark;  // over the left input

  static constexpr NodeTraits kTraits{.name = "foreign_key_meet", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple(&ForeignKeyMeetNode::left, &ForeignKeyMeetNode::right);
  static constexpr auto kFields =
      std::tuple(Field("keys", &ForeignKeyMeetNode::keys, " {}"), Field("mark", &ForeignKeyMeetNode::mark, kNotShown));
  static constexpr std::array kStores{StoreRole{.role = "left", .step = "ForeignKeyJoin-left"},
                                      StoreRole{.role = "right", .step = "ForeignKeyJoin-right"}};

  Relation derive(const Relation& from, const Relation& other) const {
    Relation made{.schema = {}, .kind = RelationKind::stream, .window = {}};
    for (const ColumnRole role : {ColumnRole::key, ColumnRole::value})
      for (const ProjectItem& key : keys) {
        made.schema.columns.push_back(key.column);
        made.schema.columns.back().role = role;
      }
    made.append_as_values(from);
    made.append_as_values(other);
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&, const Relation&) const { return 2 * keys.size(); }
};

/// Of what meetings have told of a left row, in any order, the newest: a table with the columns of the input.
struct ForeignKeySettleNode {
  NodePtr input;
  ExprPtr version, mark;
  ExprPtr matched;  // NULL: there is no right row
  bool outer = false;
  bool emit_before = false;  // as of AggregateNode

  static constexpr NodeTraits kTraits{
      .name = "foreign_key_settle", .before = Before::never, .upgrade = Upgrade::refused, .knows_old_rows = true};
  static constexpr auto kInputs = std::tuple(&ForeignKeySettleNode::input);
  static constexpr auto kFields = std::tuple(
      Field("version", &ForeignKeySettleNode::version, kNotShown),
      Field("mark", &ForeignKeySettleNode::mark, kNotShown),
      Field("matched", &ForeignKeySettleNode::matched, kNotShown), Field("outer", &ForeignKeySettleNode::outer, " all"),
      Field("emit_before", &ForeignKeySettleNode::emit_before, " before").optional());
  static constexpr std::array kStores{StoreRole{.role = "results", .step = "ForeignKeyJoin-results"}};

  Relation derive(const Relation& from) const {
    Relation made = from;
    made.kind = RelationKind::table;
    return made;
  }
  std::optional<std::size_t> own_first(const Relation&) const { return 0; }
};

}  // namespace millrace::inline planner
