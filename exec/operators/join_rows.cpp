#include "exec/operators/join_rows.h"

#include <algorithm>

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

StoreKeys result_keys(const PlanNode& join) {
  std::vector<Type> types;
  for (const ColumnDef& column : join.schema.keys()) types.push_back(column.type);
  return StoreKeys(std::move(types), join.window);
}

std::shared_ptr<const std::vector<std::int64_t>> spread_times(
    const std::shared_ptr<const std::vector<std::int64_t>>& times, std::span<const std::uint32_t> positions,
    std::size_t rows) {
  if (!times) return nullptr;
  auto out = std::make_shared<std::vector<std::int64_t>>(rows);
  for (std::size_t i = 0; i < positions.size(); ++i) (*out)[positions[i]] = (*times)[i];
  return out;
}

}  // namespace

JoinRows::JoinRows(const PlanNode& join, const PlanNode& left, const PlanNode& right, RightKey right_key)
    : keys_(result_keys(join)),
      right_keys_(right),
      left_(left.schema),
      right_(right.schema),
      stream_(join.kind == RelationKind::stream),
      right_key_(right_key) {}

JoinRows::Piece JoinRows::keep(Bytes bytes) {
  if (!bytes) return {};
  const Piece piece{arena_.size(), bytes->size(), true};
  arena_.append(*bytes);
  return piece;
}

JoinRows::Bytes JoinRows::bytes_of(const Piece& piece) const {
  if (!piece.there) return std::nullopt;
  return std::string_view(arena_).substr(piece.at, piece.size);
}

void JoinRows::add(Bytes key, Bytes left, Bytes right, std::int64_t timestamp, RowKind kind, Bytes right_key) {
  rows_.push_back({keep(key), keep(left), keep(right), keep(right_key), headers_});
  timestamps_.push_back(timestamp);
  kinds_.push_back(kind);
}

void JoinRows::change(std::string_view key, const std::optional<Pair>& old, const std::optional<Pair>& now,
                      std::int64_t timestamp, bool emit_before) {
  const auto add_pair = [&](const std::optional<Pair>& pair, RowKind kind) {
    add(key, pair->left, pair->right, timestamp, kind, pair->right_key);
  };
  if (now) {
    if (emit_before && old) add_pair(old, RowKind::update_before);
    add_pair(now, emit_before && !old ? RowKind::insert : RowKind::update_after);
  } else if (old) {
    emit_before ? add_pair(old, RowKind::remove) : add_pair(Pair{}, RowKind::remove);
  }
}

Status JoinRows::flush(Emitter& out) {
  Status given;
  for (std::size_t from = 0; from < rows_.size() && given; from += kMaxBatchRows) {
    Result<Batch> batch = make(from, std::min(rows_.size(), from + kMaxBatchRows));
    if (!batch) {
      given = batch.error();
    } else {
      given = out.batch(std::move(*batch));
    }
  }
  arena_.clear();
  rows_.clear();
  timestamps_.clear();
  kinds_.clear();
  return given;
}

Result<Batch> JoinRows::make(std::size_t from, std::size_t to) {
  const std::span<const Row> rows(rows_.data() + from, to - from);
  const auto first = static_cast<std::ptrdiff_t>(from), last = static_cast<std::ptrdiff_t>(to);
  Batch out;
  out.rows = rows.size();
  out.timestamps =
      std::make_shared<const std::vector<std::int64_t>>(timestamps_.begin() + first, timestamps_.begin() + last);
  if (!stream_) out.kinds.assign(kinds_.begin() + first, kinds_.begin() + last);
  const auto has_headers = [](const Row& row) { return row.headers != nullptr; };
  if (std::any_of(rows.begin(), rows.end(), has_headers))
    for (const Row& row : rows) out.headers.push_back(row.headers);
  const std::vector<ColumnPtr> own = decode_keys(rows, out);
  const bool behind = right_key_ == RightKey::behind;
  const auto middle = own.end() - static_cast<std::ptrdiff_t>(behind ? right_keys_.columns() : 0);
  const std::vector<ColumnPtr> left(own.begin(), middle);
  if (Status added = add_side(left_, &Row::left, rows, left, out); !added) return added.error();
  const std::vector<ColumnPtr> right = right_key_ == RightKey::alike ? own
                                       : behind                      ? std::vector<ColumnPtr>(middle, own.end())
                                                                     : right_keys(rows, out);
  if (Status added = add_side(right_, &Row::right, rows, right, out); !added) return added.error();
  return out;
}

/// Puts the key columns into `out` and gives them; a row without a key has NULL there.
std::vector<ColumnPtr> JoinRows::decode_keys(std::span<const Row> rows, Batch& out) const {
  std::vector<std::string_view> keys;
  std::vector<std::uint32_t> positions;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].key.there) {
      out.null_keys.set(i, rows.size());
      continue;
    }
    positions.push_back(i);
    keys.push_back(*bytes_of(rows[i].key));
  }
  if (is_all(positions, rows.size())) {
    keys_.decode(keys, out);
    return out.columns;
  }
  Batch compact;
  keys_.decode(keys, compact);
  for (const ColumnPtr& column : compact.columns) out.columns.push_back(spread(*column, positions, rows.size()));
  out.window_start = spread_times(compact.window_start, positions, rows.size());
  out.window_end = spread_times(compact.window_end, positions, rows.size());
  return out.columns;
}

/// The side's own key columns, NULL where the side is absent, then its value columns.
Status JoinRows::add_side(RowCodec& codec, Piece Row::*piece, std::span<const Row> rows,
                          const std::vector<ColumnPtr>& keys, Batch& out) {
  std::vector<Bytes> bytes;
  for (const Row& row : rows) bytes.push_back(bytes_of(row.*piece));
  const auto all = all_rows(rows.size());
  for (const ColumnPtr& key : keys) {
    std::shared_ptr<Column> column = gather(*key, all);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (!bytes[i]) column->nulls.set(i, rows.size());
    out.columns.push_back(std::move(column));
  }
  Result<std::vector<ColumnPtr>> columns = codec.decode(bytes);
  if (!columns) return columns.error();
  out.columns.insert(out.columns.end(), columns->begin(), columns->end());
  return {};
}

std::vector<ColumnPtr> JoinRows::right_keys(std::span<const Row> rows, const Batch& out) const {
  std::vector<std::string_view> present;
  std::vector<std::uint32_t> positions;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].right_key.there) continue;
    positions.push_back(i);
    present.push_back(*bytes_of(rows[i].right_key));
  }
  Batch compact;
  right_keys_.decode(present, compact);
  std::vector<ColumnPtr> columns;
  for (const ColumnPtr& column : compact.columns) columns.push_back(spread(*column, positions, out.rows));
  return columns;
}

}  // namespace millrace::inline exec
