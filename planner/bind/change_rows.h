#pragma once

#include <optional>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/finite_query.h"

namespace millrace::inline planner {

/// UPSERT, UPDATE or DELETE on a table over a topic: a pull query on it, and what becomes of the rows that this gives.
/// INSERT INTO ... ONCE: any pull query.
struct BoundChange {
  enum class Kind : std::uint8_t { upsert, update, remove, insert };
  Kind kind;
  std::string target;
  /// Upserts: all rows; updates: those concerned, as they are to be; both in schema order without headers. Removals:
  /// the keys of those concerned.
  BoundPull found;
  /// Instead of `found`, where the statement reads several sources, or subqueries.
  std::optional<BoundFinite> many = {};
  /// Upserts: the rows, and which of their columns are given.
  std::vector<BoundInsert::Row> rows = {};
  std::vector<std::size_t> given = {};
  /// Inserts: the item of the query that goes to each column in schema order; absent: NULL.
  std::vector<std::optional<std::size_t>> items = {};
  /// Removals of keys that the statement names: nothing has to be read.
  std::vector<std::vector<Value>> keys = {};

  bool reads() const { return kind != Kind::remove || keys.empty(); }
};

/// A record to write: a whole row, or the key of one that goes.
struct RowChange {
  std::vector<Value> values;
  bool removed = false;
  std::optional<std::int64_t> time = {};  // ROWTIME given
};

/// Throw SqlError with a place and a hint.
BoundChange bind_upsert(const ast::UpsertValues& statement, const BindContext& context);
BoundChange bind_update(const ast::UpdateRows& statement, const BindContext& context);
BoundChange bind_insert_once(const ast::InsertOnce& statement, const BindContext& context);
BoundChange bind_delete(const ast::DeleteRows& statement, const BindContext& context);

/// What to write, in order. `found`: the rows that the query gave, when the change reads().
std::vector<RowChange> row_changes(const BoundChange& change, std::vector<std::vector<Value>> found);

}  // namespace millrace::inline planner
