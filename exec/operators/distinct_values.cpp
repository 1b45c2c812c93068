#include "exec/operators/distinct_values.h"

#include <algorithm>
#include <cstring>

#include "exec/functions/codec.h"
#include "exec/operators/distinct_aggregate.h"

namespace millrace::inline exec {
namespace {

/// A timestamp (of no meaning) and counts.
class CountLayout final : public ValueLayout {
 public:
  explicit CountLayout(std::size_t counts) : counts_(counts) {}
  std::size_t size() const override { return sizeof(std::int64_t) + (counts_ + 1) / 2 * 2 * sizeof(std::uint32_t); }
  bool trivial() const override { return true; }
  void copy(const std::byte* from, std::byte* to) const override { std::memcpy(to, from, size()); }
  void destroy(std::byte*) const override {}
  void encode(const std::byte* value, std::string& out) const override {
    for (std::size_t i = 0; i < counts_; ++i) codec::put_unsigned(counts(value)[i], out);
  }
  bool decode(std::string_view in, std::byte* value) const override {
    std::memset(value, 0, size());
    for (std::size_t i = 0; i < counts_; ++i) {
      std::uint64_t count = 0;
      if (!codec::get_unsigned(in, count)) return false;
      counts(value)[i] = static_cast<std::uint32_t>(count);
    }
    return true;
  }
  static std::uint32_t* counts(std::byte* value) {
    return reinterpret_cast<std::uint32_t*>(value + sizeof(std::int64_t));
  }
  static const std::uint32_t* counts(const std::byte* value) {
    return reinterpret_cast<const std::uint32_t*>(value + sizeof(std::int64_t));
  }

 private:
  std::size_t counts_;
};

}  // namespace

DistinctValues::DistinctValues(const std::vector<AggregateCall>& calls, const MapStore& groups,
                               std::size_t window_bytes, bool counts)
    : groups_(groups), window_bytes_(window_bytes), counts_(counts), slot_of_(calls.size()) {
  for (std::size_t c = 0; c < calls.size(); ++c) {
    if (!calls[c].distinct) continue;
    auto set = std::ranges::find_if(
        sets_, [&](const Set& known) { return same(calls[known.call].arguments, calls[c].arguments); });
    if (set == sets_.end()) set = sets_.insert(sets_.end(), Set{c, {}});
    const auto slot = std::ranges::find_if(
        set->slots, [&](std::size_t known) { return same(calls[slots_[known].call].filter, calls[c].filter); });
    slot_of_[c] = slot == set->slots.end() ? slots_.size() : *slot;
    if (slot != set->slots.end()) continue;
    set->slots.push_back(slots_.size());
    slots_.push_back({c, {}});
    widest_ = std::max(widest_, set->slots.size());
  }
}

Result<std::unique_ptr<DistinctValues>> DistinctValues::open(const std::vector<AggregateCall>& calls,
                                                             const StoreSlot& slot, MapStoreOptions options,
                                                             const MapStore& groups, bool counts) {
  std::unique_ptr<DistinctValues> made(new DistinctValues(calls, groups, options.window_bytes, counts));
  options.layout = std::make_shared<CountLayout>(made->widest_);
  Result<std::unique_ptr<MapStore>> store = MapStore::open(slot, std::move(options));
  if (!store) return store.error();
  made->store_ = static_cast<MapStore*>(slot.attach(std::move(*store)));
  return made;
}

Status DistinctValues::choose(const GroupArguments& arguments, std::span<Entry* const> groups,
                              std::span<std::byte* const> values, std::span<const std::uint32_t> rows, bool undo) {
  for (Slot& slot : slots_) slot.chosen.clear();
  for (std::size_t set = 0; set < sets_.size(); ++set)
    if (Status done = choose(set, arguments, groups, values, rows, undo); !done) return done;
  return {};
}

Status DistinctValues::choose(std::size_t set, const GroupArguments& arguments, std::span<Entry* const> groups,
                              std::span<std::byte* const> values, std::span<const std::uint32_t> rows, bool undo) {
  const std::size_t call = sets_[set].call;
  positions_.clear();
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    if (!any_null(arguments.columns(call), rows[i])) positions_.push_back(i);
  encode(set, arguments, groups, rows);
  entries_.resize(positions_.size());
  if (Status found = store_->find_or_create(keys_, entries_); !found) return found;
  for (std::size_t s = 0; s < sets_[set].slots.size(); ++s) {
    Slot& slot = slots_[sets_[set].slots[s]];
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      const std::uint32_t at = positions_[i];
      if (!arguments.passes(slot.call, rows[at]) || !count(*entries_[i], s, undo)) continue;
      slot.chosen.values.push_back(values[at]);
      slot.chosen.rows.push_back(rows[at]);
    }
  }
  if (!undo) return {};
  for (Entry* entry : entries_) {
    if (!entry->present()) continue;
    const std::uint32_t* counts = CountLayout::counts(entry->value());
    if (std::all_of(counts, counts + widest_, [](std::uint32_t n) { return n == 0; })) store_->remove(*entry);
  }
  return {};
}

/// Keys of the rows in positions_ into keys_.
void DistinctValues::encode(std::size_t set, const GroupArguments& arguments, std::span<Entry* const> groups,
                            std::span<const std::uint32_t> rows) {
  kept_rows_.clear();
  for (const std::uint32_t at : positions_) kept_rows_.push_back(rows[at]);
  encode_keys(arguments.columns(sets_[set].call), kept_rows_, {}, arguments_);
  keys_.clear();
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const std::string_view group = groups_.key(*groups[positions_[i]]);
    keys_.bytes += group.substr(0, group.size() - window_bytes_);
    keys_.bytes.push_back(static_cast<char>(set));
    keys_.bytes += arguments_[i];
    keys_.bytes += group.substr(group.size() - window_bytes_);
    keys_.ends.push_back(static_cast<std::uint32_t>(keys_.bytes.size()));
  }
}

/// Whether the row is the first of its value, or (`undo`) was the last.
bool DistinctValues::count(Entry& entry, std::size_t slot, bool undo) {
  const bool known = entry.present() && CountLayout::counts(entry.value())[slot] != 0;
  if (undo ? !known : known && !counts_) return false;
  store_->change(entry);
  if (!entry.present()) {
    std::memset(entry.value(), 0, CountLayout(widest_).size());
    entry.set(Entry::kPresent);
  }
  std::uint32_t& counted = CountLayout::counts(entry.value())[slot];
  undo ? --counted : ++counted;
  return undo ? counted == 0 : counted == 1;
}

}  // namespace millrace::inline exec
