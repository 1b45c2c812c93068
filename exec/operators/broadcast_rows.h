#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "exec/state/key_table.h"
#include "exec/state/store.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// All rows of a table by what they are joined by, in memory, for all tasks of a process that hold it: under its mutex.
class BroadcastTable {
 public:
  /// ROW bytes by the table's key.
  using Rows = std::map<std::string, std::string, std::less<>>;

  SharedMutex& mutex() RETURNS_MUTEX(mutex_) { return mutex_; }
  void put(std::string_view value, std::string_view key, std::string_view row) REQUIRES(mutex_) {
    remove(key);
    auto found = rows_.find(value);
    if (found == rows_.end()) found = rows_.emplace(value, Rows{}).first;
    found->second.emplace(key, row);
    values_.emplace(key, value);
    bytes_ += cost(value, key, row);
  }
  void remove(std::string_view key) REQUIRES(mutex_) {
    const auto known = values_.find(key);
    if (known == values_.end()) return;
    const auto found = rows_.find(known->second);
    const auto row = found->second.find(key);
    bytes_ -= cost(known->second, key, row->second);
    found->second.erase(row);
    if (found->second.empty()) rows_.erase(found);
    values_.erase(known);
  }
  /// Null: there are none.
  const Rows* find(std::string_view value) const REQUIRES_SHARED(mutex_) {
    const auto found = rows_.find(value);
    return found == rows_.end() ? nullptr : &found->second;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return hash_key(key); }
  };
  /// With the nodes of the maps and the heads of the texts.
  static std::size_t cost(std::string_view value, std::string_view key, std::string_view row) {
    return 2 * (value.size() + key.size()) + row.size() + 320;
  }

  SharedMutex mutex_;
  std::unordered_map<std::string, Rows, Hash, std::equal_to<>> rows_ GUARDED_BY(mutex_);           // by value
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> values_ GUARDED_BY(mutex_);  // by key
  std::atomic<std::size_t> bytes_{0};
};

/// What one task has of such a table. Its rows come anew when no task of the process has it any more, so there is no
/// changelog, and what a failed transaction brought may stay: the same rows come again.
class BroadcastRows final : public Store {
 public:
  explicit BroadcastRows(std::shared_ptr<BroadcastTable> table) : table_(std::move(table)) {}

  Status begin_commit(ChangelogSink&) override { return {}; }
  void commit_done(std::int64_t) override {}
  void roll_back() override {}
  void expect_large_restore() override {}
  Status restore(std::span<const RecordView>) override { return {}; }
  Status restored(std::int64_t) override { return {}; }
  Status clear() override { return {}; }
  std::int64_t durable_position() const override { return 0; }
  bool has_to_write() const override { return false; }
  std::uint32_t file_order() const override { return 0; }
  Status write(StateFile&) override { return {}; }
  void written() override {}
  void shrink(std::size_t) override {}
  Status spill(std::size_t) override { return {}; }
  /// Its share.
  std::size_t memory_bytes() const override {
    return table_->bytes() / static_cast<std::size_t>(std::max<long>(1, table_.use_count() - 1));
  }
  std::size_t dirty_bytes() const override { return 0; }
  std::size_t undurable_bytes() const override { return 0; }
  // Nobody outside knows of it.
  Status get(std::string_view, const Visit&) override { return {}; }
  Status scan(std::string_view, std::string_view, const Visit&) override { return {}; }
  Result<std::unique_ptr<StoreScan>> snapshot(std::string_view, std::string_view) override {
    return user_error("rows of a broadcast table cannot be read from outside");
  }
  Status get_windows(std::string_view, std::int64_t, std::int64_t, const Visit&) override { return {}; }

 private:
  const std::shared_ptr<BroadcastTable> table_;
};

}  // namespace millrace::inline exec
