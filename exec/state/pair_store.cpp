#include "exec/state/pair_store.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace millrace::inline exec {

Result<std::unique_ptr<PairStore>> PairStore::open(const StoreSlot& slot, const MapStore* of) {
  std::unique_ptr<PairStore> store(new PairStore());
  if (Status opened = store->open_on(slot, of); !opened) return opened.error();
  return store;
}

void PairStore::put(Changes& changes, std::string_view first, std::string_view second, bool present) {
  key_.assign(first).append(second);
  const auto found = changes.find(key_);
  if (found != changes.end()) {
    found->second = present;
    return;
  }
  dirty_bytes_ += key_.size() + kNodeBytes;
  changes.emplace(key_, present);
}

/// Into what is committed. What RocksDB cannot have needs no trace once it is gone.
void PairStore::merge(std::string key, bool present) {
  const auto found = committed_.find(key);
  if (found == committed_.end()) {
    if (!present && !in_db_) return;
    committed_bytes_ += key.size() + kNodeBytes;
    committed_.emplace(std::move(key), present);
  } else if (present || in_db_) {
    found->second = present;
  } else {
    committed_bytes_ -= key.size() + kNodeBytes;
    committed_.erase(found);
  }
}

Status PairStore::load(std::string_view first, std::string_view second) {
  merge(std::string(first).append(second), true);
  return loaded_much() ? spill(0) : Status{};
}

Status PairStore::visit(std::string_view first, const VisitSecond& visit) const {
  return walk(first, first, Way::on, [&](std::string_view key) -> Result<bool> {
    if (Status visited = visit(key.substr(first.size())); !visited) return visited.error();
    return true;
  });
}

Status PairStore::around(std::string_view first, std::string_view place, std::size_t before, std::size_t from,
                         std::vector<std::string>& seconds, std::size_t& less) const {
  seconds.clear();
  const std::string at = std::string(first).append(place);
  const auto take = [&](std::size_t most) {
    return [&, most](std::string_view key) -> Result<bool> {
      seconds.emplace_back(key.substr(first.size()));
      return seconds.size() < most;
    };
  };
  if (before > 0)
    if (Status walked = walk(first, at, Way::back, take(before)); !walked) return walked;
  std::reverse(seconds.begin(), seconds.end());
  less = seconds.size();
  return from > 0 ? walk(first, at, Way::on, take(less + from)) : Status{};
}

Status PairStore::walk(std::string_view prefix, std::string_view at, Way way, const Take& take) const {
  const bool back = way == Way::back;
  const std::string last = end_of_prefix(prefix);
  struct Layer {
    Changes::const_iterator begin, end;
    bool back;
    bool any() const { return begin != end; }
    const Changes::value_type& next() const { return back ? *std::prev(end) : *begin; }
    void step() { back ? --end : ++begin; }
  };
  std::array<Layer, 3> layers;  // the newest first
  std::size_t count = 0;
  for (const Changes* changes : {&dirty_, &committing_, &committed_}) {
    const auto middle = changes->lower_bound(at);
    const auto end = last.empty() ? changes->end() : changes->lower_bound(last);
    layers[count++] = back ? Layer{changes->lower_bound(prefix), middle, back} : Layer{middle, end, back};
  }
  const std::unique_ptr<StateDb::Cursor> stored = in_db_ ? db_->cursor(id_, back ? prefix : at, last) : nullptr;
  if (back && stored != nullptr) stored->seek_before(at);
  const auto in_store = [&] { return stored != nullptr && stored->valid(); };
  const auto comes_before = [&](std::string_view a, std::string_view b) { return back ? a > b : a < b; };
  while (true) {
    std::optional<std::string_view> key;
    if (in_store()) key = stored->key();
    bool present = key.has_value();
    for (const Layer& layer : layers)
      if (layer.any() && (!key || comes_before(layer.next().first, *key))) key = layer.next().first;
    if (!key) break;
    for (std::size_t i = layers.size(); i-- > 0;)
      if (layers[i].any() && layers[i].next().first == *key) present = layers[i].next().second;
    if (present) {
      const Result<bool> go_on = take(*key);
      if (!go_on) return go_on.error();
      if (!*go_on) return {};
    }
    const bool step = in_store() && stored->key() == *key;
    for (Layer& layer : layers)
      if (layer.any() && layer.next().first == *key) layer.step();
    if (step) back ? stored->previous() : stored->next();
  }
  return stored != nullptr ? stored->status() : Status{};
}

Status PairStore::visit_committed(std::string_view from, std::string_view to, const VisitPair& visit) const {
  auto change = committed_.lower_bound(from);
  const auto end = to.empty() ? committed_.end() : committed_.lower_bound(to);
  const std::unique_ptr<StateDb::Cursor> stored = in_db_ ? db_->cursor(id_, from, to) : nullptr;
  const auto in_store = [&] { return stored != nullptr && stored->valid(); };
  while (change != end || in_store()) {
    const bool here = change != end && (!in_store() || change->first <= stored->key());
    const bool there = in_store() && (change == end || stored->key() <= change->first);
    if (!here || change->second)
      if (Status visited = visit(here ? std::string_view(change->first) : stored->key()); !visited) return visited;
    if (there) stored->next();
    if (here) ++change;
  }
  return stored != nullptr ? stored->status() : Status{};
}

Status PairStore::begin_commit(ChangelogSink&) {
  committing_.swap(dirty_);
  return {};
}

void PairStore::commit_done(std::int64_t) {
  dirty_bytes_ = 0;
  for (const auto& [key, present] : dirty_) dirty_bytes_ += key.size() + kNodeBytes;
  while (!committing_.empty()) {
    auto node = committing_.extract(committing_.begin());
    merge(std::move(node.key()), node.mapped());
  }
}

void PairStore::roll_back() {
  dirty_.clear();
  committing_.clear();
  dirty_bytes_ = 0;
}

Status PairStore::clear() {
  roll_back();
  committed_.clear();
  committed_bytes_ = 0;
  return clear_db();
}

Status PairStore::write(StateFile& file) {
  if (Status begun = begin_file(file); !begun) return begun;
  for (const auto& [key, present] : committed_) {
    if (!present && !in_db_) continue;
    if (Status put = present ? file.put(key, {}) : file.remove(key); !put) return put;
  }
  return {};
}

void PairStore::written() {
  in_db_ = in_db_ || !committed_.empty();
  durable_ = writing_;
  committed_.clear();
  committed_bytes_ = 0;
}

}  // namespace millrace::inline exec
