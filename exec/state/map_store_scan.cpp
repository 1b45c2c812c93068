#include <algorithm>
#include <cstring>

#include "exec/data/batch.h"
#include "exec/state/map_store.h"

namespace millrace::inline exec {

/// Memory's entries, copied, merged with what cursors over RocksDB see; memory wins.
class MapStore::Snapshot final : public StoreScan {
 public:
  /// No value: RocksDB may have one that no longer counts.
  void add(std::string_view key, std::optional<std::string_view> value) {
    items_.push_back({bytes_.size(), static_cast<std::uint32_t>(key.size()),
                      static_cast<std::uint32_t>(value ? value->size() : 0), value.has_value()});
    bytes_.append(key);
    if (value) bytes_.append(*value);
  }
  void add(std::unique_ptr<StateDb::Cursor> cursor, std::size_t prefix) {
    cursors_.push_back({std::move(cursor), prefix});
  }

  void any_order() override { any_order_ = true; }
  Result<bool> next(std::size_t limit, Entries& out) override {
    if (!ready_) start();
    for (std::size_t taken = 0; taken < limit; ++taken) {
      auto stepped = step(out);
      if (!stepped) return stepped.error();
      if (!*stepped) return false;
    }
    return true;
  }

 private:
  struct Item {
    std::size_t at;
    std::uint32_t key_size, value_size;
    bool present;
  };
  struct Stored {
    std::unique_ptr<StateDb::Cursor> cursor;
    std::size_t prefix;  // before the key proper
    std::string_view key() const { return cursor->key().substr(prefix); }
  };

  std::string_view key(const Item& item) const { return std::string_view(bytes_).substr(item.at, item.key_size); }

  auto later() const {
    return [this](std::size_t a, std::size_t b) { return cursors_[a].key() > cursors_[b].key(); };
  }

  void start() {
    ready_ = true;
    // What is merged must be in order.
    if (!any_order_ || !cursors_.empty())
      std::sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) { return key(a) < key(b); });
    for (std::size_t i = 0; i < cursors_.size(); ++i)
      if (cursors_[i].cursor->valid()) heap_.push_back(i);
    std::make_heap(heap_.begin(), heap_.end(), later());
  }
  /// One more entry; false at the end.
  Result<bool> step(Entries& out) {
    while (true) {
      const bool mine = next_ < items_.size();
      if (!mine && heap_.empty()) return ended();
      const int order = !mine ? 1 : heap_.empty() ? -1 : key(items_[next_]).compare(cursors_[heap_.front()].key());
      if (order <= 0) {
        const Item& item = items_[next_++];
        if (item.present)
          out.emplace_back(key(item), std::string_view(bytes_).substr(item.at + item.key_size, item.value_size));
        if (order == 0) advance();
        if (item.present) return true;
      } else {
        const Stored& first = cursors_[heap_.front()];
        out.emplace_back(first.key(), first.cursor->value());
        advance();
        return true;
      }
    }
  }
  void advance() {
    std::pop_heap(heap_.begin(), heap_.end(), later());
    cursors_[heap_.back()].cursor->next();
    if (cursors_[heap_.back()].cursor->valid()) {
      std::push_heap(heap_.begin(), heap_.end(), later());
    } else {
      heap_.pop_back();
    }
  }
  Result<bool> ended() const {
    for (const Stored& stored : cursors_)
      if (Status status = stored.cursor->status(); !status) return status.error();
    return false;
  }

  std::string bytes_;
  std::vector<Item> items_;
  std::size_t next_ = 0;
  std::vector<Stored> cursors_;
  std::vector<std::size_t> heap_;  // of cursors that are not at their end, the smallest key first
  bool ready_ = false, any_order_ = false;
};

std::pair<std::string, std::string> MapStore::db_range(const Segment& segment, std::string_view from,
                                                       std::string_view to) const {
  const std::string prefix = segment_prefix(segment.id);
  std::string last;
  if (!to.empty()) {
    last = prefix + std::string(to);
  } else if (options_.window_bytes != 0) {
    last = segment_prefix(segment.id + 1);
  }
  return {prefix + std::string(from), std::move(last)};
}

void MapStore::add_to(Snapshot& scan, const Segment& segment, std::string_view from, std::string_view to) {
  std::string bytes;
  segment.table.for_each([&](const Entry& entry) {
    const std::string_view name = key(entry);
    if (entry.has(Entry::kUnread) || name < from || (!to.empty() && name >= to)) return;
    if (const std::byte* value = committed(entry)) {
      bytes.clear();
      options_.layout->encode(value, bytes);
      scan.add(name, bytes);
    } else if (!segment.complete) {
      scan.add(name, std::nullopt);
    }
  });
  if (segment.complete) return;
  const auto [first, last] = db_range(segment, from, to);
  scan.add(db_->cursor(id_, first, last), segment_prefix(segment.id).size());
}

Result<std::unique_ptr<StoreScan>> MapStore::snapshot(std::string_view from, std::string_view to) {
  auto scan = std::make_unique<Snapshot>();
  for (const auto& [id, segment] : segments_) add_to(*scan, *segment, from, to);
  return std::unique_ptr<StoreScan>(std::move(scan));
}

Result<std::unique_ptr<StoreScan>> MapStore::snapshot_values(const VisitValues& visit) {
  std::vector<std::string_view> keys;
  std::vector<const std::byte*> values;
  keys.reserve(kMaxBatchRows);
  values.reserve(kMaxBatchRows);
  Status visited;
  const auto give = [&] {
    if (visited && !keys.empty()) visited = visit(keys, values);
    keys.clear();
    values.clear();
  };
  std::unique_ptr<Snapshot> rest;
  for (const auto& [id, segment] : segments_) {
    if (!segment->complete) {
      if (rest == nullptr) rest = std::make_unique<Snapshot>();
      add_to(*rest, *segment, {}, {});
      continue;
    }
    segment->table.for_each([&](const Entry& entry) {
      const std::byte* value = entry.has(Entry::kUnread) ? nullptr : committed(entry);
      if (value == nullptr) return;
      keys.push_back(key(entry));
      values.push_back(value);
      if (keys.size() == kMaxBatchRows) give();
    });
  }
  give();
  if (!visited) return visited.error();
  if (rest != nullptr) rest->any_order();
  return std::unique_ptr<StoreScan>(std::move(rest));
}

}  // namespace millrace::inline exec
