#include "exec/state/ordered_store.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

constexpr std::size_t kSuffix = 2 * kWindowBytes;

std::string_view without_window(std::string_view key) {
  return key.substr(0, key.size() - kSuffix);
}

void add_item(OrderedStore::List& list, OrderedStore::Item item) {
  const auto before = [](const OrderedStore::Item& a, const OrderedStore::Item& b) {
    return a.end != b.end ? a.end < b.end : a.start < b.start;
  };
  list.insert(std::upper_bound(list.begin(), list.end(), item, before), item);
}

bool has_item(const OrderedStore::List& list, const Entry* entry) {
  return std::any_of(list.begin(), list.end(), [&](const OrderedStore::Item& item) { return item.entry == entry; });
}

}  // namespace

Result<std::unique_ptr<OrderedStore>> OrderedStore::open(const StoreSlot& slot, Options options) {
  auto map = MapStore::open(slot, {.layout = std::move(options.layout),
                                   .window_bytes = kSuffix,
                                   .advance_ms = options.advance_ms,
                                   .retention_ms = options.retention_ms});
  if (!map) return map.error();
  std::unique_ptr<OrderedStore> store(new OrderedStore());
  store->map_ = std::move(*map);
  store->map_->on_drop([raw = store.get()](const Entry& entry) { raw->dropped(entry); });
  return store;
}

void OrderedStore::forget() {
  lists_.clear();
  current_ = false;
}

/// An entry left memory without having been removed: its key must be asked for again.
void OrderedStore::dropped(const Entry& entry) {
  const auto found = lists_.find(without_window(map_->key(entry)));
  if (found == lists_.end()) return;
  std::erase_if(found->second.list, [&](const Item& item) { return item.entry == &entry; });
  found->second.loaded = false;
  if (found->second.list.empty()) lists_.erase(found);
}

void OrderedStore::rebuild() {
  lists_.clear();
  map_->for_each([this](Entry& entry) {
    if (!entry.present()) return;
    const std::string_view key = map_->key(entry);
    add_item(lists_[std::string(without_window(key))].list, {start_of(key), end_of(key), &entry});
  });
  current_ = true;
}

/// Whoever only asked for a key leaves an empty list behind.
void OrderedStore::drop_empty() {
  if (lists_.size() < drop_empty_at_) return;
  std::erase_if(lists_, [](const auto& entry) { return entry.second.list.empty(); });
  drop_empty_at_ = std::max<std::size_t>(1 << 12, 2 * lists_.size());
}

Status OrderedStore::lists(const KeyBuffer& keys, std::vector<List*>& out) {
  if (!current_) rebuild();
  drop_empty();
  out.clear();
  const bool complete = map_->complete();
  std::vector<Entry*> loaded;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto found = lists_.find(keys[i]);
    if (found == lists_.end()) found = lists_.emplace(keys[i], Known{}).first;
    Known& known = found->second;
    if (!complete && !known.loaded) {
      loaded.clear();
      if (Status read = map_->load_prefix(keys[i], kSuffix, loaded); !read) return read;
      for (Entry* entry : loaded) {
        const std::string_view key = map_->key(*entry);
        if (!has_item(known.list, entry)) add_item(known.list, {start_of(key), end_of(key), entry});
      }
    }
    known.loaded = true;
    out.push_back(&known.list);  // node based: stays where it is
  }
  return {};
}

Status OrderedStore::collect_windows(std::int64_t from, std::int64_t to, std::vector<Entry*>& out) {
  const bool complete = map_->complete();
  if (Status collected = map_->collect_windows(from, to, out); !collected) return collected;
  if (complete || !current_) return {};
  // Lists given out before stay good, so they are added to, not made again.
  map_->for_each([this](Entry& entry) {
    if (!entry.present()) return;
    const std::string_view key = map_->key(entry);
    List& list = lists_[std::string(without_window(key))].list;
    if (!has_item(list, &entry)) add_item(list, {start_of(key), end_of(key), &entry});
  });
  return {};
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
