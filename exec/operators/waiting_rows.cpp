#include "exec/operators/waiting_rows.h"

#include <algorithm>

#include "exec/operators/held_rows.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

// What is kept of a row: whether it has a key and a value, how long its key is, the key, its ROW bytes. It lies under
// `number | due`.
constexpr char kRowLacksKey = 1, kRowLacksValue = 2;

}  // namespace

Result<std::unique_ptr<WaitingRows>> WaitingRows::open(const PlanNode& relation, const Result<StoreSlot>& slot,
                                                       std::int64_t longest_ms) {
  const auto store = open_rows(slot, going_by_time(longest_ms));
  if (!store) return store.error();
  return std::unique_ptr<WaitingRows>(new WaitingRows(relation, **store));
}

Status WaitingRows::keep(const Batch& in, std::span<const std::uint32_t> rows, std::span<const std::int64_t> due) {
  if (rows.empty()) return {};
  keys_.encode(in, rows, row_keys_);
  if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
  places_.clear();
  for (const std::int64_t time : due) {
    append_window(next_++, places_.bytes);
    append_window(time, places_.bytes);
    places_.ends.push_back(static_cast<std::uint32_t>(places_.bytes.size()));
  }
  entries_.resize(rows.size());
  if (Status found = store_.find_or_create(places_, entries_); !found) return found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint32_t row = rows[i];
    const int lacks = (in.null_keys.test(row) ? kRowLacksKey : 0) | (in.null_values.test(row) ? kRowLacksValue : 0);
    std::string value(1, static_cast<char>(lacks));
    append_window(static_cast<std::int64_t>(row_keys_[i].size()), value);
    value.append(row_keys_[i]).append(encoded_.row(row));
    store_.put_row(*entries_[i], (*in.timestamps)[row], value);
  }
  return {};
}

Status WaitingRows::release(std::int64_t time, const std::function<Status(Batch&&)>& give) {
  if (time < released_) return {};
  std::vector<Entry*> due;
  if (Status found = store_.collect_windows_in_order(released_, time + 1, due); !found) return found;
  released_ = std::max(released_, time);
  for (std::size_t at = 0; at < due.size(); at += kMaxBatchRows) {
    Result<Batch> batch = rows_of(std::span(due).subspan(at, std::min(kMaxBatchRows, due.size() - at)));
    if (!batch) return batch.error();
    if (Status given = give(std::move(*batch)); !given) return given;
  }
  for (Entry* entry : due) store_.remove(*entry);
  return {};
}

Status WaitingRows::dues(std::int64_t time, std::vector<std::int64_t>& out) {
  std::vector<Entry*> due;
  if (Status found = store_.collect_windows_in_order(released_, time + 1, due); !found) return found;
  for (const Entry* entry : due) out.push_back(entry->window);
  return {};
}

Result<Batch> WaitingRows::rows_of(std::span<Entry* const> entries) {
  std::vector<std::string_view> keys;
  std::vector<std::optional<std::string_view>> rows;
  std::vector<std::int64_t> timestamps;
  Bitmap no_keys, no_values;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string_view stored = row_value(entries[i]->value()).bytes();
    const auto key_size = static_cast<std::size_t>(read_window(stored.data() + 1));
    if ((stored[0] & kRowLacksKey) != 0) no_keys.set(i, entries.size());
    if ((stored[0] & kRowLacksValue) != 0) no_values.set(i, entries.size());
    keys.push_back(stored.substr(1 + kWindowBytes, key_size));
    rows.emplace_back(stored.substr(1 + kWindowBytes + key_size));
    timestamps.push_back(value_timestamp(entries[i]->value()));
  }
  Result<Batch> batch = stored_rows(keys_, codec_, keys, rows, std::move(timestamps));
  if (!batch) return batch;
  batch->null_keys = std::move(no_keys);
  batch->null_values = std::move(no_values);
  return batch;
}

void WaitingRows::save(std::string& bytes) const {
  save_number(next_, bytes);
}

void WaitingRows::load(std::string_view& bytes, std::int64_t time) {
  next_ = load_number(bytes, 0);
  released_ = std::max<std::int64_t>(time, 0);
  store_.expired_before(released_);
}

}  // namespace millrace::inline exec
