#include "exec/state/ordered_store.h"

#include <algorithm>
#include <utility>

namespace millrace::inline exec {
namespace {

constexpr std::size_t kSuffix = 2 * kWindowBytes;
// A key that memory lacks is looked for in each of them that may hold it.
constexpr std::int64_t kMostSegments = 8;

std::string_view without_window(std::string_view key) {
  return key.substr(0, key.size() - kSuffix);
}

bool earlier(const OrderedStore::Item& a, const OrderedStore::Item& b) {
  return a.end != b.end ? a.end < b.end : a.start < b.start;
}

/// Nothing happens where it is there already.
void add_item(OrderedStore::List& list, OrderedStore::Item item) {
  const auto at = std::lower_bound(list.begin(), list.end(), item, earlier);
  if (at == list.end() || earlier(item, *at)) list.insert(at, item);
}

/// Marks entries that leave; operators over these stores do not mark any.
constexpr std::uint16_t kLeaves = 1;

}  // namespace

Result<std::unique_ptr<OrderedStore>> OrderedStore::open(const StoreSlot& slot, Options options) {
  auto map = MapStore::open(slot, {.layout = std::move(options.layout),
                                   .window_bytes = kSuffix,
                                   .advance_ms = options.advance_ms,
                                   .retention_ms = options.retention_ms,
                                   .most_segments = kMostSegments});
  if (!map) return map.error();
  std::unique_ptr<OrderedStore> store(new OrderedStore());
  store->map_ = std::move(*map);
  store->map_->on_drop([raw = store.get()](std::span<Entry* const> entries) { raw->dropped(entries); });
  return store;
}

void OrderedStore::forget() {
  lists_.clear();
  current_ = false;
}

/// Entries leave memory without having been removed: their keys must be asked for again. A list is gone through once,
/// however many of its items leave.
void OrderedStore::dropped(std::span<Entry* const> entries) {
  ++drops_;
  for (Entry* entry : entries) entry->mark = kLeaves;
  for (const Entry* entry : entries) {
    if (!entry->present()) continue;
    const auto found = lists_.find(without_window(map_->key(*entry)));
    if (found == lists_.end()) continue;
    Known& known = found->second;
    if (std::exchange(known.dropped, drops_) == drops_) continue;
    std::erase_if(known.list, [](const Item& item) { return item.entry->mark == kLeaves; });
    known.whole_from = INT64_MAX;
    if (known.list.empty()) lists_.erase(found);
  }
}

void OrderedStore::rebuild() {
  lists_.clear();
  map_->for_each([this](Entry& entry) {
    if (!entry.present()) return;
    const std::string_view key = map_->key(entry);
    known(without_window(key)).list.push_back({start_of(key), end_of(key), &entry});
  });
  for (auto& [key, known] : lists_) std::sort(known.list.begin(), known.list.end(), earlier);
  current_ = true;
}

/// Whoever only asked for a key leaves an empty list behind.
void OrderedStore::drop_empty() {
  if (lists_.size() < drop_empty_at_) return;
  std::erase_if(lists_, [](const auto& entry) { return entry.second.list.empty(); });
  drop_empty_at_ = std::max<std::size_t>(1 << 12, 2 * lists_.size());
}

void OrderedStore::prepare() {
  if (!current_) rebuild();
  drop_empty();
}

OrderedStore::Known& OrderedStore::known(std::string_view key) {
  const auto found = lists_.find(key);
  return found != lists_.end() ? found->second : lists_.emplace(key, Known{}).first->second;
}

Status OrderedStore::load(Known& known, std::string_view key, std::int64_t from, MapStore::Cursor& cursor) {
  if (from >= known.whole_from) return {};
  loaded_.clear();
  if (Status read = map_->load_windows(key, from, known.whole_from, cursor, loaded_); !read) return read;
  for (Entry* entry : loaded_) {
    const std::string_view full = map_->key(*entry);
    add_item(known.list, {start_of(full), end_of(full), entry});
  }
  known.whole_from = from;
  return {};
}

Status OrderedStore::lists(const KeyBuffer& keys, std::span<const std::int64_t> from, std::vector<List*>& out) {
  prepare();
  out.clear();
  const std::int64_t complete_from = map_->complete_from();
  MapStore::Cursor cursor;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Known& found = known(keys[i]);
    if (from[i] < complete_from)
      if (Status loaded = load(found, keys[i], from[i], cursor); !loaded) return loaded;
    out.push_back(&found.list);  // node based: stays where it is
  }
  return {};
}

Status OrderedStore::find_lists(const KeyBuffer& keys, std::span<const std::int64_t> from,
                                std::vector<const List*>& out) {
  prepare();
  out.clear();
  const std::int64_t complete_from = map_->complete_from();
  MapStore::Cursor cursor;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (from[i] < complete_from) {
      Known& found = known(keys[i]);
      if (Status loaded = load(found, keys[i], from[i], cursor); !loaded) return loaded;
      out.push_back(&found.list);
    } else {
      const auto found = lists_.find(keys[i]);
      out.push_back(found == lists_.end() ? &none_ : &found->second.list);
    }
  }
  return {};
}

Entry* OrderedStore::insert(std::string_view key, std::int64_t start, std::int64_t end) {
  if (!current_) rebuild();
  return insert(known(key).list, key, start, end);
}

Entry* OrderedStore::insert(List& list, std::string_view key, std::int64_t start, std::int64_t end) {
  full_key_.assign(key);
  append_window(end, full_key_);
  append_window(start, full_key_);
  Entry* entry = map_->make(full_key_);  // the list is complete and does not have it
  map_->change(*entry);
  add_item(list, {start, end, entry});
  return entry;
}

void OrderedStore::erase(List& list, std::size_t item) {
  map_->remove(*list[item].entry);
  list.erase(list.begin() + static_cast<std::ptrdiff_t>(item));
}

void OrderedStore::move(List& list, std::size_t item, Entry& to) {
  map_->move_value(*list[item].entry, to);
  list.erase(list.begin() + static_cast<std::ptrdiff_t>(item));
}

Status OrderedStore::get_windows(std::string_view key, std::int64_t from, std::int64_t to, const Visit& visit) {
  std::vector<std::pair<std::int64_t, std::pair<std::string, std::string>>> rows;  // by start
  std::string last(key);
  last.append(kSuffix + 1, '\xff');
  Status scanned = map_->scan(key, last, [&](std::string_view full, std::string_view value) {
    if (full.size() == key.size() + kSuffix && start_of(full) >= from && start_of(full) <= to)
      rows.push_back({start_of(full), {std::string(full), std::string(value)}});
    return true;
  });
  if (!scanned) return scanned;
  std::sort(rows.begin(), rows.end());
  for (const auto& [start, row] : rows)
    if (!visit(row.first, row.second)) break;
  return {};
}

}  // namespace millrace::inline exec
