#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "exec/state/state_db.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

/// A set of pairs of keys (key_codec.h), found by their first: an index that is made anew from another store whenever
/// its operator starts, so it has no changelog. Memory holds what changed since the last spill, RocksDB the rest. One
/// thread.
class PairStore final : public Store {
 public:
  /// Empty, whatever was left there.
  static Result<std::unique_ptr<PairStore>> open(const StoreSlot& slot);

  void add(std::string_view first, std::string_view second) { put(dirty_, first, second, true); }
  void remove(std::string_view first, std::string_view second) { put(dirty_, first, second, false); }
  /// As part of filling it at the start: as if it had been committed before. Spills by itself.
  Status load(std::string_view first, std::string_view second);
  /// The second of every pair with this first, ascending; `visit` must not change the store.
  using VisitSecond = std::function<Status(std::string_view second)>;
  Status visit(std::string_view first, const VisitSecond& visit) const;

  Status begin_commit(ChangelogSink&) override;
  void commit_done(std::int64_t) override;
  void roll_back() override;
  void expect_large_restore() override {}
  Status restore(std::span<const RecordView>) override { return {}; }
  Status restored(std::int64_t) override { return {}; }
  Status clear() override;
  std::int64_t durable_position() const override { return 0; }
  bool has_to_write() const override { return db_ != nullptr && committed_bytes_ > kWorthAFile; }
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
  static constexpr std::size_t kWorthAFile = 1 << 20;  // or it can as well stay
  static constexpr std::size_t kLoadBytes = 8 << 20;
  static constexpr std::size_t kNodeBytes = 112;  // of a map, beside the key

  PairStore() = default;
  void put(Changes& changes, std::string_view first, std::string_view second, bool present);
  void merge(std::string key, bool present);

  StateDb* db_ = nullptr;
  std::uint32_t id_ = 0;
  bool in_db_ = false;                      // RocksDB has pairs
  Changes committed_, committing_, dirty_;  // each over those before it, committed_ over RocksDB
  std::size_t committed_bytes_ = 0, dirty_bytes_ = 0;
  std::string key_;
};

}  // namespace millrace::inline exec
