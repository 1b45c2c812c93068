#include "exec/data/footprint.h"

namespace millrace::inline exec {

std::size_t footprint(const Column& column) {
  std::size_t bytes = column.data.size() + column.nulls.words().size_bytes();
  const TypeKind kind = column.type.kind();
  if (kind == TypeKind::string || kind == TypeKind::bytes)
    for (const std::string_view text : column.values<std::string_view>()) bytes += text.size();
  for (const auto& child : column.children) bytes += footprint(*child);
  return bytes;
}

std::size_t footprint(std::span<const ColumnPtr> columns) {
  std::size_t bytes = 0;
  for (const ColumnPtr& column : columns) bytes += footprint(*column);
  return bytes;
}

std::size_t footprint(const Batch& batch) {
  return batch.rows * sizeof(std::int64_t) + footprint(batch.columns);
}

}  // namespace millrace::inline exec
