#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/formats/format.h"
#include "exec/operators/lower.h"
#include "exec/operators/store_keys.h"
#include "exec/operators/windows.h"
#include "exec/state/map_store.h"
#include "exec/state/ordered_store.h"

namespace millrace::inline exec {

/// Value columns of a relation as bytes of the ROW format and back.
class RowCodec {
 public:
  /// For the columns of `schema` that are not key columns. `wanted`, where given, by column of the schema: `decode`
  /// gives those alone.
  explicit RowCodec(const Schema& schema, const std::vector<bool>* wanted = nullptr);

  /// Replaces `out` by one row per row of `in`, whose columns are those of the schema.
  Status encode(const Batch& in, Encoded& out);
  /// One row per entry; absent ones become NULL. The bytes are copied.
  Result<std::vector<ColumnPtr>> decode(std::span<const std::optional<std::string_view>> rows);

 private:
  std::size_t keys_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Decoder> decoder_;
};

/// A store of rows, as bytes with a timestamp, by key; it goes to the task. The options need no layout.
Result<MapStore*> open_rows(const Result<StoreSlot>& slot, MapStoreOptions options = {});
/// Options of a store of rows that go by and by, as the times at the end of their keys say.
MapStoreOptions going_by_time(std::int64_t retention_ms);
/// A store of lists of rows, by key and time; it goes to the task.
Result<OrderedStore*> open_lists(const Result<StoreSlot>& slot, std::int64_t retention_ms);

/// How far the windows of rows have come: what is kept of older ones goes when a retention is over.
class WindowRetention {
 public:
  /// Absent: the rows have no windows, or stay.
  explicit WindowRetention(std::optional<std::int64_t> ms) : ms_(ms) {}

  void see(const Batch& in, std::span<const std::uint32_t> rows) {
    if (!ms_) return;
    for (const std::uint32_t row : rows) newest_ = std::max(newest_, (*in.window_start)[row]);
  }
  /// To be called at each commit.
  void expire(MapStore& store) const {
    if (ms_) store.expire_before(newest_ - *ms_);
  }
  void save(std::string& bytes) const {
    if (ms_) save_number(newest_, bytes);
  }
  void load(std::string_view bytes) {
    if (ms_) newest_ = load_number(bytes, -1);
  }
  /// After load: what was expired before is not in the store.
  void expired(MapStore& store) const {
    if (ms_) store.expired_before(newest_ - *ms_);
  }

 private:
  std::optional<std::int64_t> ms_;
  std::int64_t newest_ = -1;  // start of the newest window
};

/// The newest row of each key of a relation, in a store of its own.
class TableSide {
 public:
  /// `relation` gives the rows that are kept. The store goes to the task.
  static Result<std::unique_ptr<TableSide>> make(const PlanNode& relation, const Result<StoreSlot>& slot);

  const StoreKeys& keys() const { return keys_; }
  RowCodec& codec() { return codec_; }
  MapStore& store() { return *store_; }

  /// Rows of a table batch that say something new about a key that is there: no before rows, no absent keys.
  static std::vector<std::uint32_t> news(const Batch& in);
  /// Takes in what `news` names, in order. `visit(i, entry)` is called before row rows[i] is applied.
  template <class Visit>
  Status apply(const Batch& in, std::span<const std::uint32_t> rows, Visit visit) {
    if (Status ready = prepare(in, rows); !ready) return ready;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      visit(i, static_cast<const Entry&>(*entries_[i]));
      put(in, rows[i], *entries_[i]);
    }
    return {};
  }
  /// The rows of the batch under way in `apply`, in ROW bytes.
  const Encoded& encoded_rows() const { return encoded_; }
  /// out[i]: the entry whose key is that of row rows[i], null where there is none. `in` has this relation's key columns
  /// first.
  Status find(const Batch& in, std::span<const std::uint32_t> rows, std::vector<Entry*>& out);

 private:
  TableSide(const PlanNode& relation, MapStore& store) : keys_(relation), codec_(relation.schema), store_(&store) {}
  Status prepare(const Batch& in, std::span<const std::uint32_t> rows);
  void put(const Batch& in, std::uint32_t row, Entry& entry);

  StoreKeys keys_;
  RowCodec codec_;
  MapStore* store_;
  KeyBuffer key_bytes_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
};

}  // namespace millrace::inline exec
