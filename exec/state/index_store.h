#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "exec/state/map_store.h"
#include "exec/state/state_db.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

/// A set of pairs of keys (key_codec.h) that is an index of another store: it can be made anew from it, so it has no
/// changelog. One thread.
///
/// Both go to RocksDB in one file. So after a start only those entries have to be added again that were replayed since,
/// all of which the other store has in memory; where RocksDB stands for something else of either, all of them. Pairs of
/// entries that were removed or changed by what was replayed stay: whoever finds one sees to that.
class IndexStore : public Store {
 public:
  /// Calls `load` for the entries of the other store: all of them, or those in memory.
  using Fill = std::function<Status(bool all)>;
  void fill_by(Fill fill) { fill_ = std::move(fill); }
  /// For who takes each pair for that of an entry as it is: where anything was replayed, all are added anew.
  void keep_no_strays() { no_strays_ = true; }
  /// Before the other store is changed for the first time.
  Status ready() { return known_ ? Status{} : fill(); }

  void expect_large_restore() override {}
  Status restore(std::span<const RecordView>) override { return {}; }
  Status restored(std::int64_t) override { return {}; }
  std::int64_t durable_position() const override { return 0; }
  bool has_to_write() const override;
  std::uint32_t file_order() const override { return id_; }
  Status spill(std::size_t target_memory_bytes) override;
  std::size_t undurable_bytes() const override { return 0; }
  // Nobody outside knows of it.
  Status get(std::string_view, const Visit&) override { return {}; }
  Status scan(std::string_view, std::string_view, const Visit&) override { return {}; }
  Result<std::unique_ptr<StoreScan>> snapshot(std::string_view, std::string_view) override;
  Status get_windows(std::string_view, std::int64_t, std::int64_t, const Visit&) override { return {}; }

 protected:
  static constexpr std::size_t kLoadBytes = 8 << 20;

  /// Empty where `of` is null, whatever was left there; else `ready` comes before anything else.
  Status open_on(const StoreSlot& slot, const MapStore* of);
  /// Committed, and not in RocksDB.
  virtual std::size_t unwritten_bytes() const = 0;
  /// Begins the index' part of a file.
  Status begin_file(StateFile& file);
  /// Whether what `load` has brought is to go to RocksDB before more comes.
  bool loaded_much() const { return (filling_ || of_ == nullptr) && unwritten_bytes() > kLoadBytes; }
  /// To be called by `clear`, when memory is empty.
  Status clear_db();

  StateDb* db_ = nullptr;
  std::uint32_t id_ = 0;
  bool in_db_ = false;                      // RocksDB has pairs
  std::int64_t durable_ = 0, writing_ = 0;  // what RocksDB, the next file stands for of the other store; 0: nothing

 private:
  Status fill();
  bool in_step() const { return of_ != nullptr && durable_ != 0 && durable_ == of_->durable_position(); }

  const MapStore* of_ = nullptr;
  Fill fill_;
  bool known_ = true, filling_ = false;  // holds what it shall; is about to
  bool no_strays_ = false;
};

/// The least key that no key with this prefix reaches; empty: there is none.
std::string end_of_prefix(std::string_view prefix);

}  // namespace millrace::inline exec
