#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/formats/format.h"
#include "exec/operators/lower.h"
#include "exec/operators/store_keys.h"
#include "exec/state/map_store.h"

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
