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

std::size_t footprint(const Batch& batch) {
  std::size_t bytes = batch.rows * sizeof(std::int64_t);
  for (const ColumnPtr& column : batch.columns) bytes += footprint(*column);
  return bytes;
}

}  // namespace millrace::inline exec
