#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/table_side.h"

namespace millrace::inline exec {

/// What the rows of a table were, by time: all versions that a key has had since `history_ms` before the newest row of
/// the table, and the one that was there then. A removal is a version. Which version is seen depends on the rows that
/// came, never on when storage lets go of others. One thread.
class RowVersions {
 public:
  using Bytes = std::optional<std::string_view>;  // of a row, as the codec has it

  /// The stores go to the task. `due`: which keys have versions that can go, by when they can.
  static Result<std::unique_ptr<RowVersions>> open(const PlanNode& table, const Result<StoreSlot>& versions,
                                                   const Result<StoreSlot>& due, std::int64_t history_ms);

  const StoreKeys& keys() const { return keys_; }
  RowCodec& codec() { return codec_; }

  /// The batch, and which of its rows, that `take` is about.
  Status begin(const Batch& in, std::span<const std::uint32_t> rows);
  /// Takes in rows[from..to), in order. Gives how many of them were older than all that is kept of their keys.
  Result<std::size_t> take(const Batch& in, std::size_t from, std::size_t to);
  /// out[i]: the version of the key of row rows[i] (`in` has the key columns first) that was there at times[i]; absent
  /// where there was none, or it is not known any more. Good until the next call.
  Status find(const Batch& in, std::span<const std::uint32_t> rows, std::span<const std::int64_t> times,
              std::vector<Bytes>& out);
  /// To be called at each commit: versions that nobody can see go.
  Status clean_up();
  void save(std::string& bytes) const;
  void load(std::string_view& bytes);

 private:
  RowVersions(const PlanNode& table, OrderedStore& versions, MapStore& due, std::int64_t history_ms)
      : keys_(table), codec_(table.schema), versions_(versions), due_(due), history_ms_(history_ms) {}
  /// Versions up to then are seen as the last of them.
  std::int64_t horizon() const { return newest_ == INT64_MIN ? INT64_MIN : newest_ - history_ms_; }
  void forget_old(OrderedStore::List& list);
  bool put(OrderedStore::List& list, std::string_view key, std::int64_t time, std::string_view bytes);
  void note_due(const OrderedStore::List& list, std::string_view key, std::int64_t time);
  Status keep_due();
  Bytes version_at(const OrderedStore::List& list, std::int64_t time) const;

  StoreKeys keys_;
  RowCodec codec_;
  OrderedStore& versions_;
  MapStore& due_;
  const std::int64_t history_ms_;
  std::int64_t newest_ = INT64_MIN;  // time of a row of the table
  std::int64_t cleaned_ = 0;         // what was due up to then has gone

  // Scratch.
  std::vector<std::uint32_t> rows_;
  Encoded encoded_;
  KeyBuffer key_bytes_, due_keys_;
  std::vector<std::int64_t> from_;
  std::vector<OrderedStore::List*> lists_;
  std::vector<const OrderedStore::List*> found_;
  std::vector<Entry*> entries_;
  std::string value_;
};

}  // namespace millrace::inline exec
