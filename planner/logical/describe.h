#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <vector>

#include "planner/logical/parts.h"
#include "planner/logical/relation.h"

/// How a plan node describes itself. Each node is an aggregate of its inputs and its fields with these static members,
/// and everything that goes over nodes (JSON, equality, EXPLAIN, expressions, stores, rows before, column pruning, the
/// check of replacements) is a loop over them; a node that lacks one does not compile.
///
///     kTraits   NodeTraits
///     kInputs   std::tuple of pointers to its NodePtr members, left to right
///     kFields   std::tuple of Field, one for each other member; expressions are over the columns of the first input,
///     or over its own (over_output) kStores   std::array of StoreRole: the stores that its operator keeps derive
///     Relation derive(const Relation& input...) const: what it gives, from what its inputs give own_first
///     std::optional<std::size_t> own_first(const Relation& input...) const: the columns of its inputs stand
///               in its output in order, behind that many columns of its own; what follows them is its own too. Absent:
///               all columns are its own.
///
/// It may have `std::string remark() const`: what EXPLAIN adds to the fields, and `bool keeps(const StoreRole&) const`:
/// whether it has a store of that role (else all).
namespace millrace::inline planner {

/// Whether the input must give "before" rows (design.md §3).
enum class Before : std::uint8_t {
  as_wanted,  // when the node itself must
  always,
  never,
};
/// What CREATE OR REPLACE may do to a step.
enum class Upgrade : std::uint8_t {
  free,      // no state and no place: may come, go and change
  matching,  // must stay, with the fields that are marked `fixed` as they were
  refused,
};
struct NodeTraits {
  std::string_view name;  // in JSON, EXPLAIN, metrics and names of stores
  Before before = Before::as_wanted;
  Upgrade upgrade = Upgrade::matching;
  bool knows_old_rows = false;  // gives before rows out of its own state
  bool over_output = false;     // its expressions are over the columns that it gives
};

enum class StoreLayout : std::uint8_t {
  groups,        // accumulators by key
  rows,          // the newest row of each key
  timed_groups,  // accumulators by key and session
  timed_rows,    // rows by key and time
};
struct StoreRole {
  std::string_view role;  // last part of the store's name
  std::string_view step;  // in the changelog's name
  StoreLayout layout = StoreLayout::rows;
  bool holds_result = false;  // the node's own result lies in it (if it says so): pull queries can read it
  bool anew = false;          // filled from its input whenever a task starts: no changelog
};

inline constexpr std::string_view kNotShown;

template <class Node, class T>
struct Field {
  std::string_view name;  // in JSON
  T Node::*member;
  /// EXPLAIN: put behind what is there, with the value's text at {}. Left out where that text is empty (flags that are
  /// not set, optional values that are absent).
  std::string_view text;
  bool may_lack = false;           // not in JSON while it has its default
  std::string_view fixed_as = {};  // the name under which the check of a replacement says that it has changed

  constexpr Field(std::string_view json_name, T Node::*the_member, std::string_view shown)
      : name(json_name), member(the_member), text(shown) {}
  constexpr Field optional() const {
    Field changed = *this;
    changed.may_lack = true;
    return changed;
  }
  constexpr Field fixed(std::string_view as) const {
    Field changed = *this;
    changed.fixed_as = as;
    return changed;
  }
};

template <class Node, class F>
constexpr void for_each_field(F&& f) {
  std::apply([&](const auto&... field) { (f(field), ...); }, Node::kFields);
}
template <class Node, class F>
constexpr void for_each_input(F&& f) {
  std::apply([&](const auto&... input) { (f(input), ...); }, Node::kInputs);
}

/// Fails to compile when a node has another number of members than its description.
template <class Node>
constexpr void check_described(Node& node) {
  constexpr std::size_t kMembers =
      std::tuple_size_v<decltype(Node::kInputs)> + std::tuple_size_v<decltype(Node::kFields)>;
  // clang-format off
  if constexpr (kMembers == 0) { static_cast<void>(node); }
  else if constexpr (kMembers == 1) { [[maybe_unused]] auto& [a] = node; }
  else if constexpr (kMembers == 2) { [[maybe_unused]] auto& [a, b] = node; }
  else if constexpr (kMembers == 3) { [[maybe_unused]] auto& [a, b, c] = node; }
  else if constexpr (kMembers == 4) { [[maybe_unused]] auto& [a, b, c, d] = node; }
  else if constexpr (kMembers == 5) { [[maybe_unused]] auto& [a, b, c, d, e] = node; }
  else if constexpr (kMembers == 6) { [[maybe_unused]] auto& [a, b, c, d, e, f] = node; }
  else if constexpr (kMembers == 7) { [[maybe_unused]] auto& [a, b, c, d, e, f, g] = node; }
  else if constexpr (kMembers == 8) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h] = node; }
  else if constexpr (kMembers == 9) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i] = node; }
  else if constexpr (kMembers == 10) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j] = node; }
  else if constexpr (kMembers == 11) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k] = node; }
  else if constexpr (kMembers == 12) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k, l] = node; }
  else if constexpr (kMembers == 13) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = node; }
  else if constexpr (kMembers == 14) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = node; }
  else if constexpr (kMembers == 15) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = node; }
  else if constexpr (kMembers == 16) { [[maybe_unused]] auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = node; }
  else { static_assert(kMembers > 16, "a line more here"); }
  // clang-format on
}

}  // namespace millrace::inline planner
