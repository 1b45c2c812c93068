#include "exec/state/reference_store.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace millrace::inline exec {

Result<std::unique_ptr<ReferenceStore>> ReferenceStore::open(const StoreSlot& slot, const MapStore* of) {
  std::unique_ptr<ReferenceStore> store(new ReferenceStore());
  if (Status opened = store->open_on(slot, of); !opened) return opened.error();
  store->complete_ = !store->in_db_;
  return store;
}

Entry* ReferenceStore::find_or_make(std::string_view first, std::string_view second) {
  key_.assign(first).append(second);
  const std::uint64_t hash = hash_key(key_);
  if (Entry* known = pairs_.find(hash, key_); known != nullptr) return known;
  const std::uint64_t home_hash = hash_key(first);
  Entry* home = firsts_.find(home_hash, first);
  if (home == nullptr) {
    home = firsts_.insert(home_hash, first, 0);
    list(*home) = nullptr;
  }
  Entry* pair = pairs_.insert(hash, key_, 0);
  link(*pair) = {nullptr, list(*home), home};
  if (Entry* next = link(*pair).next; next != nullptr) link(*next).before = pair;
  list(*home) = pair;
  return pair;
}

void ReferenceStore::put(std::string_view first, std::string_view second, bool present) {
  Entry* pair = find_or_make(first, second);
  if (!pair->has(Entry::kDirty)) {
    if (pair->has(static_cast<Entry::Flag>(kKnown)) && pair->present() == present) return;
    pair->set(Entry::kDirty | (pair->present() ? Entry::kBasePresent : 0));
    dirty_.push_back(pair);
    dirty_bytes_ += bytes(*pair);
  }
  set_present(*pair, present);
}

void ReferenceStore::to_write(Entry& pair) {
  if (db_ == nullptr || pair.has(Entry::kUndurable)) return;
  pair.set(Entry::kUndurable);
  undurable_.push_back(&pair);
  undurable_bytes_ += bytes(pair);
}

void ReferenceStore::drop(Entry& pair) {
  const Link at = link(pair);
  if (at.next != nullptr) link(*at.next).before = at.before;
  (at.before != nullptr ? link(*at.before).next : list(*at.home)) = at.next;
  if (list(*at.home) == nullptr) firsts_.erase(at.home);
  pairs_.erase(&pair);
}

/// What is not part of a change, and says no more than RocksDB, or its absence, does.
void ReferenceStore::drop_if_useless(Entry& pair) {
  constexpr int kInUse = Entry::kDirty | Entry::kCommitting | Entry::kUndurable;
  if ((pair.flags & kInUse) != 0 || (pair.present() && complete_)) return;
  drop(pair);
}

Status ReferenceStore::load(std::string_view first, std::string_view second) {
  Entry* pair = find_or_make(first, second);
  pair->set(Entry::kPresent | kKnown);
  to_write(*pair);
  if (!loaded_much()) return {};
  complete_ = false;
  return spill(0);
}

Status ReferenceStore::visit(std::string_view first, const VisitSecond& visit) const {
  const bool both = in_db_ && !complete_;
  std::vector<Second> seconds = std::exchange(seconds_, {});
  seconds.clear();
  if (Entry* home = firsts_.find(hash_key(first), first); home != nullptr)
    for (const Entry* pair = list(*home); pair != nullptr; pair = link(*pair).next)
      if (both || pair->present()) seconds.push_back({key(*pair).substr(first.size()), pair->present()});
  std::ranges::sort(seconds, {}, &Second::bytes);
  Status visited;
  if (both) {
    visited = visit_both(first, seconds, visit);
  } else {
    for (std::size_t i = 0; i < seconds.size() && visited; ++i) visited = visit(seconds[i].bytes);
  }
  seconds_ = std::move(seconds);
  return visited;
}

/// Memory's merged with RocksDB's; memory wins.
Status ReferenceStore::visit_both(std::string_view first, std::span<const Second> seconds,
                                  const VisitSecond& visit) const {
  const auto stored = db_->cursor(id_, first, end_of_prefix(first));
  std::size_t next = 0;
  Status visited;
  while (visited && (stored->valid() || next < seconds.size())) {
    const auto there = stored->valid() ? std::optional(stored->key().substr(first.size())) : std::nullopt;
    if (next == seconds.size() || (there && *there < seconds[next].bytes)) {
      visited = visit(*there);
      stored->next();
      continue;
    }
    if (there == seconds[next].bytes) stored->next();
    if (seconds[next].present) visited = visit(seconds[next].bytes);
    ++next;
  }
  return visited ? stored->status() : visited;
}

Status ReferenceStore::begin_commit(ChangelogSink&) {
  for (Entry* pair : dirty_) {
    const bool had = pair->has(Entry::kBasePresent);
    pair->clear(Entry::kDirty | Entry::kBasePresent);
    pair->set(Entry::kCommitting | (had ? Entry::kCommittedPresent : 0));
  }
  committing_.swap(dirty_);
  dirty_.clear();
  return {};
}

void ReferenceStore::commit_done(std::int64_t) {
  for (Entry* pair : std::exchange(committing_, {})) {
    const bool had = pair->has(Entry::kCommittedPresent);
    pair->clear(Entry::kCommitting | Entry::kCommittedPresent);
    // Of what memory did not know before, RocksDB may.
    const bool unsure = !pair->has(static_cast<Entry::Flag>(kKnown)) && !complete_;
    pair->set(kKnown);
    if (committed(*pair) != had || unsure) to_write(*pair);
    drop_if_useless(*pair);
  }
  dirty_bytes_ = 0;
  for (const Entry* pair : dirty_) dirty_bytes_ += bytes(*pair);
}

void ReferenceStore::roll_back() {
  for (Entry* pair : dirty_) {
    set_present(*pair, pair->has(Entry::kBasePresent));
    pair->clear(Entry::kDirty | Entry::kBasePresent);
  }
  for (Entry* pair : committing_) {
    set_present(*pair, pair->has(Entry::kCommittedPresent));
    pair->clear(Entry::kCommitting | Entry::kCommittedPresent);
  }
  std::vector<Entry*> all = std::exchange(committing_, {});
  all.insert(all.end(), dirty_.begin(), dirty_.end());
  dirty_.clear();
  dirty_bytes_ = 0;
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (Entry* pair : all) pair->has(static_cast<Entry::Flag>(kKnown)) ? drop_if_useless(*pair) : drop(*pair);
}

void ReferenceStore::forget_all() {
  dirty_.clear();
  committing_.clear();
  undurable_.clear();
  dirty_bytes_ = undurable_bytes_ = 0;
  pairs_ = KeyTable(sizeof(Link));
  firsts_ = KeyTable(sizeof(Entry*));
}

Status ReferenceStore::clear() {
  forget_all();
  complete_ = true;
  return clear_db();
}

Status ReferenceStore::write(StateFile& file) {
  if (Status begun = begin_file(file); !begun) return begun;
  std::ranges::sort(undurable_, {}, [](const Entry* pair) { return key(*pair); });
  for (const Entry* pair : undurable_) {
    const bool present = committed(*pair);
    if (!present && !in_db_) continue;
    if (Status put = present ? file.put(key(*pair), {}) : file.remove(key(*pair)); !put) return put;
  }
  return {};
}

void ReferenceStore::written() {
  durable_ = writing_;
  undurable_bytes_ = 0;
  for (Entry* pair : std::exchange(undurable_, {})) {
    in_db_ = in_db_ || committed(*pair);
    pair->clear(Entry::kUndurable);
    drop_if_useless(*pair);
  }
}

void ReferenceStore::shrink(std::size_t target_memory_bytes) {
  if (!in_db_ || memory_bytes() <= target_memory_bytes || !committing_.empty()) return;
  complete_ = false;
  const KeyTable old = std::move(pairs_), old_firsts = std::move(firsts_);  // until what stays is out of them
  pairs_ = KeyTable(sizeof(Link));
  firsts_ = KeyTable(sizeof(Entry*));
  for (std::vector<Entry*>* staying : {&dirty_, &undurable_}) {
    for (Entry*& pair : *staying) {
      const std::string_view first = link(*pair).home->key(sizeof(Entry*));
      Entry* moved = find_or_make(first, key(*pair).substr(first.size()));
      moved->flags = pair->flags;
      pair = moved;
    }
  }
}

std::size_t ReferenceStore::memory_bytes() const {
  if (pairs_.size() == 0) return 0;
  return pairs_.memory() + firsts_.memory() +
         (dirty_.capacity() + committing_.capacity() + undurable_.capacity()) * sizeof(Entry*);
}

}  // namespace millrace::inline exec
