#include "exec/operators/batch_ops.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace millrace::inline exec {

Bitmap copy_bits(const Bitmap& bits) {
  Bitmap out;
  if (bits.empty()) return out;
  const auto words = bits.words();
  out.reserve(words.size() * 64);
  std::copy(words.begin(), words.end(), out.words().begin());
  return out;
}

bool any_set(const Bitmap& bits, std::size_t rows) {
  return !bits.empty() && bits.count(rows) != 0;
}

std::vector<std::uint32_t> all_rows(std::size_t rows) {
  std::vector<std::uint32_t> out(rows);
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

Batch share_frame(const Batch& in) {
  Batch out;
  out.rows = in.rows;
  out.timestamps = in.timestamps;
  out.kinds = in.kinds;
  out.null_keys = copy_bits(in.null_keys);
  out.null_values = copy_bits(in.null_values);
  out.window_start = in.window_start;
  out.window_end = in.window_end;
  out.offsets = in.offsets;
  out.partition = in.partition;
  out.headers = in.headers;
  return out;
}

Batch share(const Batch& in) {
  Batch out = share_frame(in);
  out.columns = in.columns;
  return out;
}

void null_removed(Batch& batch, std::size_t keys) {
  if (std::find(batch.kinds.begin(), batch.kinds.end(), RowKind::remove) == batch.kinds.end()) return;
  const auto rows = all_rows(batch.rows);
  for (std::size_t c = keys; c < batch.columns.size(); ++c) {
    std::shared_ptr<Column> copy = gather(*batch.columns[c], rows);
    for (std::size_t row = 0; row < batch.rows; ++row)
      if (batch.kinds[row] == RowKind::remove) copy->nulls.set(row, batch.rows);
    batch.columns[c] = std::move(copy);
  }
}

ColumnPtr spread(const Column& compact, std::span<const std::uint32_t> positions, std::size_t rows) {
  if (positions.size() == rows) {
    const auto identity = all_rows(rows);
    return gather(compact, identity);
  }
  std::vector<Pick> picks(rows);
  for (std::size_t i = 0; i < positions.size(); ++i) picks[positions[i]] = {0, static_cast<std::uint32_t>(i)};
  const Column* source = &compact;
  return interleave(compact.type, {&source, 1}, picks);
}

void carry_headers(const Origin& origin, Batch& out) {
  if (origin.batch == nullptr || origin.batch->headers.empty()) return;
  for (const std::uint32_t row : origin.rows) out.headers.push_back(origin.batch->headers[row]);
}

Batch assemble(const Batch& frame, std::size_t keys, std::span<const ColumnPtr> old, std::span<const ChangeRow> rows) {
  std::vector<std::uint32_t> frames;
  std::vector<Pick> picks;
  for (const ChangeRow& row : rows) {
    frames.push_back(row.frame);
    picks.push_back({row.old ? 1u : 0u, row.row});
  }
  Batch outer = share_frame(frame);
  outer.kinds.clear();
  outer.columns.assign(frame.columns.begin(), frame.columns.begin() + static_cast<std::ptrdiff_t>(keys));
  Batch out = gather(outer, frames);
  for (std::size_t c = keys; c < frame.columns.size(); ++c) {
    const Column& fresh = *frame.columns[c];
    const Column* sources[] = {&fresh, old.empty() ? &fresh : old[c - keys].get()};
    std::shared_ptr<Column> column = interleave(fresh.type, sources, picks);
    out.columns.push_back(std::move(column));
  }
  for (const ChangeRow& row : rows) out.kinds.push_back(row.kind);
  return out;
}

}  // namespace millrace::inline exec
