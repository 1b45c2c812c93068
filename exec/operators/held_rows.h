#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "exec/operators/batch_ops.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {

/// Rows out of a store: keys as StoreKeys has them, values in ROW bytes.
inline Result<Batch> stored_rows(const StoreKeys& keys, RowCodec& codec, std::span<const std::string_view> key_bytes,
                                 std::span<const std::optional<std::string_view>> rows,
                                 std::vector<std::int64_t> timestamps) {
  Result<std::vector<ColumnPtr>> columns = codec.decode(rows);
  if (!columns) return columns.error();
  Batch batch;
  batch.rows = key_bytes.size();
  batch.columns = std::move(*columns);
  keys.decode(key_bytes, batch);
  batch.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::move(timestamps));
  return batch;
}

}  // namespace millrace::inline exec
