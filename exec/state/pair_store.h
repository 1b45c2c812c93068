#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/state/index_store.h"

namespace millrace::inline exec {

/// An index in order. Memory holds what changed since the last spill, RocksDB the rest.
class PairStore final : public IndexStore {
 public:
  static Result<std::unique_ptr<PairStore>> open(const StoreSlot& slot, const MapStore* of = nullptr);

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

  /// Committed pairs, back to back, in [from, to), ascending; an empty `to` means no end.
  using VisitPair = std::function<Status(std::string_view pair)>;
  Status visit_committed(std::string_view from, std::string_view to, const VisitPair& visit) const;

  Status begin_commit(ChangelogSink&) override;
  void commit_done(std::int64_t) override;
  void roll_back() override;
  Status clear() override;
  Status write(StateFile& file) override;
  void written() override;
  void shrink(std::size_t) override {}
  std::size_t memory_bytes() const override { return committed_bytes_ + dirty_bytes_; }
  std::size_t dirty_bytes() const override { return dirty_bytes_; }

 private:
  /// Pairs back to back; false: it is gone.
  using Changes = std::map<std::string, bool, std::less<>>;
  /// `on`: ascending, what is not less than a place; `back`: descending, what is.
  enum class Way : std::uint8_t { on, back };
  using Take = std::function<Result<bool>(std::string_view key)>;
  /// Pairs that begin with `prefix`, seen from `at`, until `take` gives false.
  Status walk(std::string_view prefix, std::string_view at, Way way, const Take& take) const;
  static constexpr std::size_t kNodeBytes = 112;  // of a map, beside the key

  PairStore() = default;
  std::size_t unwritten_bytes() const override { return committed_bytes_; }
  void put(Changes& changes, std::string_view first, std::string_view second, bool present);
  void merge(std::string key, bool present);

  Changes committed_, committing_, dirty_;  // each over those before it, committed_ over RocksDB
  std::size_t committed_bytes_ = 0, dirty_bytes_ = 0;
  std::string key_;
};

}  // namespace millrace::inline exec
