#include "exec/state/index_store.h"

#include "exec/state/spill.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kWorthAFile = 1 << 20;  // or it can as well stay

class NoScan final : public StoreScan {
 public:
  Result<bool> next(std::size_t, Entries&) override { return false; }
};

}  // namespace

std::string end_of_prefix(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

Status IndexStore::open_on(const StoreSlot& slot, const MapStore* of) {
  db_ = slot.db;
  of_ = of;
  known_ = of == nullptr;
  if (slot.db == nullptr) return {};
  const Result<std::uint32_t> id = slot.db->id(slot.prefix);
  if (!id) return id.error();
  id_ = *id;
  const auto left = slot.db->seek(*id, {});
  if (!left) return left.error();
  in_db_ = left->has_value();
  if (of == nullptr) return clear();
  const Result<std::int64_t> position = slot.db->position(*id);
  if (!position) return position.error();
  durable_ = *position;
  return {};
}

Status IndexStore::fill() {
  const bool replayed = of_ != nullptr && of_->size() > 0;  // nothing else is in memory yet
  const bool all = !in_step() || (no_strays_ && replayed);
  if (all)
    if (Status cleared = clear(); !cleared) return cleared;
  filling_ = all;
  const Status filled = fill_(all);
  filling_ = false;
  known_ = filled.has_value();
  return filled;
}

Status IndexStore::clear_db() {
  durable_ = 0;
  return std::exchange(in_db_, false) ? db_->clear(id_) : Status{};
}

/// Whenever the other store writes, so that both stand for the same. Nobody waits for a small one alone.
bool IndexStore::has_to_write() const {
  if (db_ == nullptr) return false;
  if (of_ == nullptr || filling_) return unwritten_bytes() > kWorthAFile;
  if (!known_) return !no_strays_ && in_step() && of_->has_to_write() && !of_->in_bulk();
  return unwritten_bytes() > kWorthAFile || of_->has_to_write() || durable_ != of_->durable_position();
}

Status IndexStore::begin_file(StateFile& file) {
  if (!known_ && !filling_)  // what was replayed so far; `ready` adds what comes after it
    if (Status added = fill_(false); !added) return added;
  writing_ = filling_ || of_ == nullptr ? 0 : of_->committed_position();
  return file.begin(id_, writing_, unwritten_bytes());
}

Status IndexStore::spill(std::size_t target_memory_bytes) {
  if (db_ == nullptr) return {};
  Store* self = this;
  if (Status spilled = spill_stores(*db_, {&self, 1}); !spilled) return spilled;
  shrink(target_memory_bytes);
  return {};
}

Result<std::unique_ptr<StoreScan>> IndexStore::snapshot(std::string_view, std::string_view) {
  return std::unique_ptr<StoreScan>(std::make_unique<NoScan>());
}

}  // namespace millrace::inline exec
