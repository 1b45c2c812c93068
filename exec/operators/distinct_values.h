#pragma once

#include <memory>
#include <vector>

#include "exec/operators/group_values.h"
#include "exec/state/map_store.h"

namespace millrace::inline exec {

/// What the DISTINCT calls of an aggregate have taken in, in a store beside the groups, so that a group with a million
/// values costs a commit no more than those that are new. A key is the group's, the number of the arguments among those
/// of all calls, the arguments, and the group's window. A value has one count for each FILTER that calls over these
/// arguments have: on a stream 1 once it was seen.
class DistinctValues final : public DistinctRows {
 public:
  /// `counts`: rows may be taken out again. `groups`: the store of the entries that `choose` gets.
  static Result<std::unique_ptr<DistinctValues>> open(const std::vector<AggregateCall>& calls, const StoreSlot& slot,
                                                      MapStoreOptions options, const MapStore& groups, bool counts);

  Status choose(const GroupArguments& arguments, std::span<Entry* const> groups, std::span<std::byte* const> values,
                std::span<const std::uint32_t> rows, bool undo) override;
  const ChosenRows& chosen(std::size_t call) const override { return slots_[slot_of_[call]].chosen; }

  MapStore& store() { return *store_; }

 private:
  struct Slot {
    std::size_t call;  // the first with these arguments and this filter
    ChosenRows chosen;
  };
  struct Set {
    std::size_t call;  // the first with these arguments
    std::vector<std::size_t> slots;
  };

  DistinctValues(const std::vector<AggregateCall>& calls, const MapStore& groups, std::size_t window_bytes,
                 bool counts);
  Status choose(std::size_t set, const GroupArguments& arguments, std::span<Entry* const> groups,
                std::span<std::byte* const> values, std::span<const std::uint32_t> rows, bool undo);
  void encode(std::size_t set, const GroupArguments& arguments, std::span<Entry* const> groups,
              std::span<const std::uint32_t> rows);
  bool count(Entry& entry, std::size_t slot, bool undo);

  const MapStore& groups_;
  MapStore* store_ = nullptr;
  const std::size_t window_bytes_;
  const bool counts_;
  std::vector<Set> sets_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> slot_of_;  // by call
  std::size_t widest_ = 0;            // counts of a value

  // Scratch.
  std::vector<std::uint32_t> positions_, kept_rows_;
  KeyBuffer arguments_, keys_;
  std::vector<Entry*> entries_;
};

}  // namespace millrace::inline exec
