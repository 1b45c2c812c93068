#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/row_evaluators.h"
#include "exec/state/key_codec.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Bytes whose order is that of rows by some sort keys.
class SortBytes {
 public:
  SortBytes(const std::vector<SortKey>& order, const PlanNode& input);
  /// One entry per row of `in`, in `out` (replaced).
  void encode(const Batch& in, RowErrors& errors, KeyBuffer& out);

 private:
  const std::vector<SortKey> order_;
  RowEvaluators keys_;
};
/// The same for rows `rows` of columns that are what is sorted by.
void encode_sorted(std::span<const ColumnPtr> columns, std::span<const SortKey> order,
                   std::span<const std::uint32_t> rows, KeyBuffer& out);

/// One row of a group. All bytes are those of the group's value.
struct RankedRow {
  std::string_view order;  // as SortBytes gives it
  std::string_view id;     // key of the row in its table; empty on streams
  std::int64_t timestamp = 0;
  std::string_view row;  // in the ROW format
  friend bool operator==(const RankedRow&, const RankedRow&) = default;
};
using RankedRows = std::vector<RankedRow>;

/// The rows of a group, first to last, as bytes of a store.
void write_rows(const RankedRows& rows, std::string& out);
/// The first of them; nothing: malformed, or there is none.
std::optional<RankedRow> first_row(std::string_view bytes);
/// False: malformed.
bool read_rows(std::string_view bytes, RankedRows& rows);

/// Where a row belongs: behind those that are not behind it.
std::size_t place_of(const RankedRows& rows, std::string_view order, std::string_view id);
/// The row with this key; `rows.size()` when there is none.
std::size_t find_row(const RankedRows& rows, std::string_view id);
/// How many of the rows have a rank up to `most`.
std::size_t count_first(const RankedRows& rows, RankFunction rank, std::size_t most);

}  // namespace millrace::inline exec
