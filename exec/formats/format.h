#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "exec/data/row_errors.h"
#include "planner/types/schema.h"

namespace millrace::inline exec {

class SchemaCache;

/// Turns serialized keys or values into columns. Made for one schema and one set of wanted columns; keeps scratch
/// space, so one per task. Never throws on data.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// `inputs[i]` is the text of row i, absent for null (all its columns become NULL). Appends one column per
  /// wanted column to `out`, each `inputs.size()` long. Rows that cannot be decoded are set in `bad` (their columns
  /// hold NULL) and noted in `errors`. STRING and BYTES views may point into the inputs: `owner` is what keeps those
  /// alive and is added to the columns that do.
  virtual void decode(std::span<const std::optional<std::string_view>> inputs, const std::shared_ptr<const void>& owner,
                      std::vector<ColumnPtr>& out, Bitmap& bad, RowErrors& errors) = 0;
  /// Rows of the last decode() whose text says that the row is gone, as formats of changes can; null: none.
  virtual const Bitmap* removed() const { return nullptr; }
  /// False: a schema that these texts name is still being fetched; decode() them later. Asks for it.
  virtual bool ready(std::span<const std::optional<std::string_view>>) { return true; }
};

/// Serialized rows back to back: row i is bytes[ends[i-1], ends[i]).
struct Encoded {
  std::string bytes;
  std::vector<std::uint32_t> ends;
  void clear() {
    bytes.clear();
    ends.clear();
  }
  std::string_view row(std::size_t i) const {
    const std::uint32_t from = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(from, ends[i] - from);
  }
};

/// Turns columns into serialized keys or values. One per task.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends `rows` rows to `out`. `columns` are the columns of the encoder's schema, in order. A row that cannot be
  /// encoded fails the whole call with a user error that names the column ("failure to encode ends the query").
  virtual Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) = 0;
  /// Rows of the next encode() that will not be written (tombstones): what is made of them is of no interest, and they
  /// cannot fail. Null: none. Must live until then.
  virtual void leave_out(const Bitmap*) {}
};

/// `columns`: the key columns or the value columns of a source, in order. `wanted`: indexes into `columns` to decode,
/// ascending. `is_key`: keys of one column are bare where the format allows it. Unknown formats are a bug here: the
/// planner checked them against the row of the same name (planner/catalog/formats.h). `schemas` must outlive the
/// decoder; only formats with a registry ask for it.
std::unique_ptr<Decoder> make_decoder(const FormatInfo& format, std::vector<ColumnDef> columns,
                                      std::vector<std::size_t> wanted, bool is_key, SchemaCache* schemas = nullptr);
std::unique_ptr<Encoder> make_encoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool is_key);

/// Whether a NULL in the one column of these values is no value at all, as where that column alone is the text.
bool null_is_absent(const FormatInfo& format, std::span<const ColumnDef> columns);

/// One row from boxes, for INSERT VALUES, keys of pull queries and tests. Absent result: all values NULL in a key (a
/// null key), null_is_absent, or a format that holds nothing.
Result<std::optional<std::string>> encode_row(const FormatInfo& format, std::span<const ColumnDef> columns,
                                              std::span<const Value> values, bool is_key);

/// Partition of a record: murmur2 of the serialized key as Java clients do. Precondition: a non-null key.
std::int32_t partition_for(std::string_view key, std::int32_t partitions);

}  // namespace millrace::inline exec
