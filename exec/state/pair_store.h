#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/state/map_store.h"
#include "exec/state/state_db.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

/// A set of pairs of keys (key_codec.h), found by their first: an index of another store, which it can be made anew
/// from, so it has no changelog. Memory holds what changed since the last spill, RocksDB the rest. One thread.
///
/// Both go to RocksDB in one file. So after a start only those entries have to be added again that were replayed since,
/// all of which the other store has in memory; where RocksDB stands for something else of either, all of them. Pairs of
/// entries that were removed or changed by what was replayed stay: whoever finds one by `visit` sees to that.
class PairStore final : public Store {
 public:
  /// Empty where `of` is null, whatever was left there; else `ready` comes before anything else.
  static Result<std::unique_ptr<PairStore>> open(const StoreSlot& slot, const MapStore* of = nullptr);

  /// Calls `load` for the entries of the other store: all of them, or those in memory.
  using Fill = std::function<Status(bool all)>;
  void fill_by(Fill fill) { fill_ = std::move(fill); }
  /// Before the other store is changed for the first time.
  Status ready() { return known_ ? Status{} : fill(); }

  void add(std::string_view first, std::string_view second) { put(dirty_, first, second, true); }
  void remove(std::string_view first, std::string_view second) { put(dirty_, first, second, false); }
  /// As part of filling it: as if it had been committed before.
  Status load(std::string_view first, std::string_view second);
  /// The second of every pair with this first, ascending; `visit` must not change the store.
  using VisitSecond = std::function<Status(std::string_view second)>;
  Status visit(std::string_view first, const VisitSecond& visit) const;
  /// Some of them in order, beside `place`, which may be there or not: the last `before` that are less, and the first
  /// `from` that are not. `less`: how many of the former there are.
  Status around(std::string_view first, std::string_view place, std::size_t before, std::size_t from,
                std::vector<std::string>& seconds, std::size_t& less) const;

  Status begin_commit(ChangelogSink&) override;
  void commit_done(std::int64_t) override;
  void roll_back() override;
  void expect_large_restore() override {}
  Status restore(std::span<const RecordView>) override { return {}; }
  Status restored(std::int64_t) override { return {}; }
  Status clear() override;
  std::int64_t durable_position() const override { return 0; }
  bool has_to_write() const override;
  std::uint32_t file_order() const override { return id_; }
  Status write(StateFile& file) override;
  void written() override;
  void shrink(std::size_t) override {}
  Status spill(std::size_t target_memory_bytes) override;
  std::size_t memory_bytes() const override { return committed_bytes_ + dirty_bytes_; }
  std::size_t dirty_bytes() const override { return dirty_bytes_; }
  std::size_t undurable_bytes() const override { return 0; }
  // Nobody outside knows of it.
  Status get(std::string_view, const Visit&) override { return {}; }
  Status scan(std::string_view, std::string_view, const Visit&) override { return {}; }
  Result<std::unique_ptr<StoreScan>> snapshot(std::string_view, std::string_view) override;
  Status get_windows(std::string_view, std::int64_t, std::int64_t, const Visit&) override { return {}; }

 private:
  /// Pairs back to back; false: it is gone.
  using Changes = std::map<std::string, bool, std::less<>>;
  /// Pairs that begin with `prefix`, from `from` on (ascending), or those before it (descending), until `take` gives
  /// false.
  using Take = std::function<Result<bool>(std::string_view key)>;
  Status walk(std::string_view prefix, std::string_view from, const Take& take) const;
  Status walk_back(std::string_view prefix, std::string_view to, const Take& take) const;
  static constexpr std::size_t kWorthAFile = 1 << 20;  // or it can as well stay
  static constexpr std::size_t kLoadBytes = 8 << 20;
  static constexpr std::size_t kNodeBytes = 112;  // of a map, beside the key

  PairStore() = default;
  Status fill();
  bool in_step() const { return of_ != nullptr && durable_ != 0 && durable_ == of_->durable_position(); }
  void put(Changes& changes, std::string_view first, std::string_view second, bool present);
  void merge(std::string key, bool present);

  StateDb* db_ = nullptr;
  std::uint32_t id_ = 0;
  const MapStore* of_ = nullptr;
  Fill fill_;
  bool known_ = true, filling_ = false;     // holds what it shall; is about to
  std::int64_t durable_ = 0, writing_ = 0;  // what RocksDB, the next file stands for of the other store; 0: nothing
  bool in_db_ = false;                      // RocksDB has pairs
  Changes committed_, committing_, dirty_;  // each over those before it, committed_ over RocksDB
  std::size_t committed_bytes_ = 0, dirty_bytes_ = 0;
  std::string key_;
};

}  // namespace millrace::inline exec
