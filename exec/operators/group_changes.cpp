#include "exec/operators/group_changes.h"

#include <algorithm>

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {

void GroupChanges::remember(std::span<Entry* const> entries) {
  if (!emit_before_) return;
  std::vector<const std::byte*> values;
  old_row_.assign(entries.size(), -1);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i]->present()) continue;
    old_row_[i] = static_cast<std::int32_t>(values.size());
    values.push_back(entries[i]->value());
  }
  old_ = layout_->results(values);
}

Status GroupChanges::give(const MapStore& store, std::span<Entry* const> entries, const Origin& origin, Emitter& out) {
  return give_rows(store, entries, origin, out);
}

Status GroupChanges::give_changed(const MapStore& store, Emitter& out) {
  const auto changed = store.changed();
  for (std::size_t from = 0; from < changed.size(); from += kMaxBatchRows) {
    const auto part = changed.subspan(from, std::min(kMaxBatchRows, changed.size() - from));
    if (emit_before_) {
      std::vector<const std::byte*> values;
      old_row_.assign(part.size(), -1);
      for (std::size_t i = 0; i < part.size(); ++i) {
        const std::byte* before = store.before(*part[i]);
        if (before == nullptr) continue;
        old_row_[i] = static_cast<std::int32_t>(values.size());
        values.push_back(before);
      }
      old_ = layout_->results(values);
    }
    if (Status given = give_rows(store, part, {}, out); !given) return given;
  }
  return {};
}

Status GroupChanges::give_rows(const MapStore& store, std::span<Entry* const> entries, const Origin& origin,
                               Emitter& out) {
  std::vector<std::string_view> keys;
  std::vector<const std::byte*> values;
  std::vector<std::int64_t> timestamps;
  keys.reserve(entries.size());
  values.reserve(entries.size());
  timestamps.reserve(entries.size());
  for (const Entry* entry : entries) {
    keys.push_back(store.key(*entry));
    values.push_back(entry->value());
    timestamps.push_back(value_timestamp(entry->value()));
  }
  Batch now = group_batch(keys_, *layout_, keys, values, std::move(timestamps), {});
  carry_headers(origin, now);
  if (!emit_before_) return out.batch(std::move(now));
  std::vector<ChangeRow> rows;
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    const bool had = old_row_[i] >= 0;
    if (had) rows.push_back({i, true, static_cast<std::uint32_t>(old_row_[i]), RowKind::update_before});
    rows.push_back({i, false, i, had ? RowKind::update_after : RowKind::insert});
  }
  return out.batch(assemble(now, keys_.columns(), old_, rows));
}

}  // namespace millrace::inline exec
