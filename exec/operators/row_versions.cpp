#include "exec/operators/row_versions.h"

#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

// What is kept of a version: whether it is a removal, then the row's bytes.
constexpr char kRow = 0, kRemoval = 1;
constexpr std::int64_t kAnyTime = 1LL << 48;  // in ms: longer than all time there is

bool is_removal(const OrderedStore::Item& item) {
  return row_value(item.entry->value()).data[0] == kRemoval;
}

/// The last version up to `time`; the end where there is none.
OrderedStore::List::const_iterator last_until(const OrderedStore::List& list, std::int64_t time) {
  const auto later = [](std::int64_t bound, const OrderedStore::Item& item) { return bound < item.end; };
  const auto next = std::upper_bound(list.begin(), list.end(), time, later);
  return next == list.begin() ? list.end() : next - 1;
}

}  // namespace

Result<std::unique_ptr<RowVersions>> RowVersions::open(const PlanNode& table, const Result<StoreSlot>& versions,
                                                       const Result<StoreSlot>& due, std::int64_t history_ms) {
  // The version that is there now may be of any age: time alone lets none go.
  const auto kept = open_lists(versions, kAnyTime);
  if (!kept) return kept.error();
  const auto waits = open_rows(due, going_by_time(history_ms));
  if (!waits) return waits.error();
  return std::unique_ptr<RowVersions>(new RowVersions(table, **kept, **waits, history_ms));
}

Status RowVersions::begin(const Batch& in, std::span<const std::uint32_t> rows) {
  rows_.assign(rows.begin(), rows.end());
  return codec_.encode(in, encoded_);
}

Result<std::size_t> RowVersions::take(const Batch& in, std::size_t from, std::size_t to) {
  if (from == to) return std::size_t{0};
  const std::span<const std::uint32_t> rows(rows_.data() + from, to - from);
  keys_.encode(in, rows, key_bytes_);
  from_.assign(rows.size(), 0);
  if (Status found = versions_.lists(key_bytes_, from_, lists_); !found) return found.error();
  due_keys_.clear();
  std::size_t late = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t time = (*in.timestamps)[rows[i]];
    const bool gone = is_gone(in, rows[i]);
    value_.assign(1, gone ? kRemoval : kRow);
    if (!gone) value_.append(encoded_.row(rows[i]));
    newest_ = std::max(newest_, time);
    if (put(*lists_[i], key_bytes_[i], time, value_))
      note_due(*lists_[i], key_bytes_[i], time);
    else
      ++late;
    if (time <= horizon()) forget_old(*lists_[i]);
  }
  if (Status kept = keep_due(); !kept) return kept.error();
  return late;
}

/// What is older than the version that was there at the horizon; that one too, if it is a removal.
void RowVersions::forget_old(OrderedStore::List& list) {
  const auto base = last_until(list, horizon());
  if (base == list.end()) return;
  auto old = static_cast<std::size_t>(base - list.begin()) + (is_removal(*base) ? 1 : 0);
  while (old > 0) versions_.erase(list, --old);
}

/// False: a newer version stands for all that is as old.
bool RowVersions::put(OrderedStore::List& list, std::string_view key, std::int64_t time, std::string_view bytes) {
  forget_old(list);
  if (!list.empty() && list.front().end <= horizon() && time < list.front().end) return false;
  const auto there = last_until(list, time);
  Entry* entry = there != list.end() && there->end == time ? there->entry : versions_.insert(list, key, time, time);
  versions_.map().put_row(*entry, time, bytes);
  return true;
}

/// A version can go once another stands for it at the horizon, a removal once it stands there itself.
void RowVersions::note_due(const OrderedStore::List& list, std::string_view key, std::int64_t time) {
  const auto own = last_until(list, time);
  const auto add = [&](std::int64_t seen) {
    if (seen + history_ms_ <= newest_) return;
    due_keys_.bytes.append(key);
    append_window(seen + history_ms_, due_keys_.bytes);
    due_keys_.ends.push_back(static_cast<std::uint32_t>(due_keys_.bytes.size()));
  };
  if (own != list.begin() || is_removal(*own))
    add(time);
  else if (own + 1 != list.end())
    add((own + 1)->end);
}

Status RowVersions::keep_due() {
  if (due_keys_.size() == 0) return {};
  entries_.resize(due_keys_.size());
  if (Status found = due_.find_or_create(due_keys_, entries_); !found) return found;
  for (Entry* entry : entries_)
    if (!entry->present()) due_.put_row(*entry, 0, {});
  return {};
}

Status RowVersions::find(const Batch& in, std::span<const std::uint32_t> rows, std::span<const std::int64_t> times,
                         std::vector<Bytes>& out) {
  keys_.encode(in, rows, key_bytes_);
  from_.assign(rows.size(), 0);
  if (Status found = versions_.find_lists(key_bytes_, from_, found_); !found) return found;
  out.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) out.push_back(version_at(*found_[i], times[i]));
  return {};
}

RowVersions::Bytes RowVersions::version_at(const OrderedStore::List& list, std::int64_t time) const {
  const auto found = last_until(list, std::max(time, horizon()));
  if (found == list.end() || found->end > time || is_removal(*found)) return std::nullopt;
  return row_value(found->entry->value()).bytes().substr(1);
}

Status RowVersions::clean_up() {
  if (newest_ == INT64_MIN || newest_ - cleaned_ < segment_ms(history_ms_)) return {};
  std::vector<Entry*> due;
  if (Status found = due_.collect_windows(cleaned_, newest_ + 1, due); !found) return found;
  for (std::size_t at = 0; at < due.size(); at += kMaxBatchRows) {
    const auto part = std::span(due).subspan(at, std::min(kMaxBatchRows, due.size() - at));
    key_bytes_.clear();
    for (const Entry* entry : part) {
      const std::string_view key = due_.key(*entry);
      key_bytes_.bytes.append(key.substr(0, key.size() - kWindowBytes));
      key_bytes_.ends.push_back(static_cast<std::uint32_t>(key_bytes_.bytes.size()));
    }
    from_.assign(part.size(), 0);
    if (Status found = versions_.lists(key_bytes_, from_, lists_); !found) return found;
    for (OrderedStore::List* list : lists_) forget_old(*list);
    for (Entry* entry : part) due_.remove(*entry);
  }
  cleaned_ = newest_;
  due_.expire_before(cleaned_);
  return {};
}

void RowVersions::save(std::string& bytes) const {
  save_number(newest_, bytes);
  save_number(cleaned_, bytes);
}

void RowVersions::load(std::string_view& bytes) {
  newest_ = load_number(bytes, INT64_MIN);
  cleaned_ = load_number(bytes, 0);
  due_.expired_before(cleaned_);
}

}  // namespace millrace::inline exec
