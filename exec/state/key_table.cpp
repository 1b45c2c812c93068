#define XXH_INLINE_ALL
#include "exec/state/key_table.h"

#include <xxhash.h>

namespace millrace::inline exec {

std::uint64_t hash_key(std::string_view key) {
  return XXH3_64bits(key.data(), key.size());
}

void KeyTable::grow() {
  std::vector<std::uint64_t> old(slots_.size() * 2);
  old.swap(slots_);
  for (const std::uint64_t slot : old)
    if (slot != 0) place(pointer(slot));
}

void KeyTable::erase(Entry* entry) {
  std::size_t hole = entry->hash & mask();
  while (pointer(slots_[hole]) != entry) hole = (hole + 1) & mask();
  // Moves back what lies behind the hole, so that no probe meets a gap before its key.
  for (std::size_t i = (hole + 1) & mask(); slots_[i] != 0; i = (i + 1) & mask()) {
    const std::size_t home = pointer(slots_[i])->hash & mask();
    if (((i - home) & mask()) >= ((i - hole) & mask())) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = 0;
  --size_;
  slab_.release(entry, sizeof(Entry) + value_size_ + entry->key_size);
}

}  // namespace millrace::inline exec
