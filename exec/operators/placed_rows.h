#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/batch_ops.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"
#include "exec/state/pair_store.h"

namespace millrace::inline exec {

/// A row of a table as a store keeps it among those of its partition, under the partition's key and its own.
struct PlacedRow {
  std::uint64_t group_bytes = 0;  // of the key: the partition's
  std::string_view order;
  std::int64_t timestamp = 0;
  std::string_view row, values;  // values: what was computed for it last, if anything is

  std::string written() const;
  /// False: malformed.
  bool read(std::string_view bytes);
  bool same_result(const PlacedRow& other) const { return row == other.row && values == other.values; }
};

/// What a row of a batch says of a row of a table.
struct PlacedChange {
  std::uint32_t at;  // row of the batch
  std::string_view group, id, order, row;
  std::int64_t timestamp;
  bool added;  // the row as it is now takes the place of what is there; else that goes
};

/// The rows of a table, each by itself, by partition; and the order of those of each partition, which is an index that
/// is made anew from them. A change writes the rows that change. One thread.
class PlacedRows {
 public:
  /// Rows of `input`, whose key is that of their partition; `row_key` tells them apart.
  static Result<std::unique_ptr<PlacedRows>> open(StoreSlot slot, const PlanNode& input,
                                                  const std::vector<SortKey>& order,
                                                  const std::vector<ProjectItem>& row_key);

  /// Takes the rows of a batch in, in order: `change(PlacedChange)` for each.
  template <class Change>
  Status take_in(const Batch& in, OperatorContext& context, Change change) {
    if (Status read = read_batch(in, context); !read) return read;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const RowKind kind = in.kind(rows_[i]);
      const bool pair = is_pair(in, i);
      if (pair) ++i;
      const bool removed = kind == RowKind::update_before || kind == RowKind::remove;
      const std::uint32_t row = rows_[i];
      const PlacedChange made{row,
                              group_bytes_[i],
                              id_bytes_[row],
                              sorted_[row],
                              encoded_.row(row),
                              (*in.timestamps)[row],
                              !removed || pair};
      if (Status done = change(made); !done) return done;
    }
    return {};
  }

  /// The entry of the row that a change is about, and what is there of it: `old` is empty when nothing is.
  Status find(const PlacedChange& change, Entry*& entry, std::string& old);
  /// Applies a change to what `find` gave. `values`: of the row from now on.
  Status apply(const PlacedChange& change, Entry& entry, std::string_view old, std::string_view values);
  /// The entries of rows of a partition.
  Status find_rows(std::string_view group, const std::vector<std::string>& places, std::vector<Entry*>& entries);

  static std::string place_of(std::string_view order, std::string_view id);
  static std::string_view order_of(std::string_view place) { return place.substr(0, order_size(place)); }
  static std::string_view id_of(std::string_view place) {
    return place.substr(order_size(place), place.size() - sizeof(std::uint32_t) - order_size(place));
  }
  static std::string_view bytes_of(const Entry& entry) {
    return entry.present() ? row_value(const_cast<Entry&>(entry).value()).bytes() : std::string_view();
  }
  static Error unreadable() { return Error{Fault::bug, "kept rows cannot be read"}; }

  MapStore& store() { return store_; }
  const PairStore& places() const { return places_; }
  const StoreKeys& groups() const { return groups_; }
  RowCodec& codec() { return codec_; }
  /// The rows' own keys, from a batch with all columns.
  std::vector<ColumnPtr> row_keys(const Batch& batch);

 private:
  PlacedRows(const PlanNode& input, const std::vector<SortKey>& order, const std::vector<ProjectItem>& row_key,
             MapStore& store, PairStore& places);
  static std::uint32_t order_size(std::string_view place) {
    std::uint32_t size = 0;
    std::memcpy(&size, place.data() + place.size() - sizeof(size), sizeof(size));
    return size;
  }
  Status read_batch(const Batch& in, OperatorContext& context);
  bool is_pair(const Batch& in, std::size_t i) const {
    return is_update(in, rows_[i]) && i + 1 < rows_.size() && rows_[i + 1] == rows_[i] + 1 &&
           group_bytes_[i] == group_bytes_[i + 1];
  }
  Status find_places(bool all);
  Status load_place(std::string_view key, std::string_view bytes);

  const StoreKeys groups_;
  RowCodec codec_;
  SortBytes order_;
  std::vector<Evaluator> ids_;
  MapStore& store_;
  PairStore& places_;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer group_bytes_, sorted_, id_bytes_, keys_;
  Encoded encoded_;
};

}  // namespace millrace::inline exec
