#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/batch.h"

namespace millrace::inline exec {

/// The same rows again, columns shared.
Batch share(const Batch& in);
/// Everything but the columns.
Batch share_frame(const Batch& in);

Bitmap copy_bits(const Bitmap& bits);
bool any_set(const Bitmap& bits, std::size_t rows);
/// 0 .. rows-1.
std::vector<std::uint32_t> all_rows(std::size_t rows);

/// A column of `rows` rows: row positions[i] is row i of `compact`, all others are NULL.
ColumnPtr spread(const Column& compact, std::span<const std::uint32_t> positions, std::size_t rows);

/// Makes the value columns (those from `keys` on) of `remove` rows NULL, as upsert changelogs have it.
void null_removed(Batch& batch, std::size_t keys);

/// Whether row `row`, whose key columns are the first `keys`, can meet others by its key: none of several is NULL.
inline bool is_keyed(const Batch& batch, std::size_t keys, std::uint32_t row) {
  bool keyed = !batch.null_keys.test(row);
  for (std::size_t k = 0; k < keys && keyed && keys > 1; ++k) keyed = !batch.columns[k]->is_null(row);
  return keyed;
}

/// Whether row `row` of a table takes what there is of its key away.
inline bool is_gone(const Batch& batch, std::size_t row) {
  return batch.kind(row) == RowKind::remove || batch.null_values.test(row);
}
/// Whether row `row` and the next one are what a row was and what it has become.
inline bool is_update(const Batch& batch, std::size_t row) {
  return batch.kind(row) == RowKind::update_before && row + 1 < batch.rows &&
         batch.kind(row + 1) == RowKind::update_after;
}

/// True when the rows are 0 .. rows-1.
inline bool is_all(std::span<const std::uint32_t> selected, std::size_t rows) {
  return selected.size() == rows;
}

/// What caused rows: row i comes of row rows[i] of `batch`. Nothing known when null.
struct Origin {
  const Batch* batch = nullptr;
  std::span<const std::uint32_t> rows;
};
/// Gives `out` the headers of what caused its rows, if there are any.
void carry_headers(const Origin& origin, Batch& out);

/// A table row to give out: frame (key, window, time) from row `frame` of a batch, value columns from row `row` of the
/// new or of the old values.
struct ChangeRow {
  std::uint32_t frame;
  bool old;
  std::uint32_t row;
  RowKind kind;
};
/// Puts table rows together in order. `frame` has the key columns first, then the new value columns; `old` are old
/// value columns, as many (empty when no row is old).
Batch assemble(const Batch& frame, std::size_t keys, std::span<const ColumnPtr> old, std::span<const ChangeRow> rows);

}  // namespace millrace::inline exec
