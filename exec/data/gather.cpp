#include <cstring>

#include "exec/data/batch.h"
#include "exec/data/column.h"

namespace millrace::inline exec {
namespace {

template <class T>
void gather_values(const Column& from, std::span<const std::uint32_t> rows, Column& to) {
  const T* in = from.data.as<T>();
  T* out = to.values_mut<T>();
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = in[rows[i]];
}

void gather_fixed(const Column& from, std::span<const std::uint32_t> rows, Column& to) {
  switch (value_width(from.type)) {
    case 1:
      return gather_values<std::uint8_t>(from, rows, to);
    case 4:
      return gather_values<std::uint32_t>(from, rows, to);
    case 8:
      if (from.type.kind() == TypeKind::double_) return gather_values<double>(from, rows, to);
      return gather_values<std::int64_t>(from, rows, to);
    default:
      if (from.type.kind() == TypeKind::decimal) return gather_values<Int128>(from, rows, to);
      return gather_values<std::string_view>(from, rows, to);
  }
}

Bitmap gather_bits(const Bitmap& from, std::span<const std::uint32_t> rows) {
  Bitmap to;
  if (from.empty()) return to;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (from.test(rows[i])) to.set(i, rows.size());
  return to;
}

void gather_lists(const Column& from, std::span<const std::uint32_t> rows, Column& to) {
  const auto* in = from.data.as<std::uint32_t>();
  to.data.resize((rows.size() + 1) * 4);
  auto* out = to.data.as<std::uint32_t>();
  std::vector<std::uint32_t> elements;
  out[0] = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!from.is_null(rows[i]))
      for (std::uint32_t e = in [rows[i]]; e < in[rows[i] + 1]; ++e) elements.push_back(e);
    out[i + 1] = static_cast<std::uint32_t>(elements.size());
  }
  for (const auto& child : from.children) to.children.push_back(gather(*child, elements));
}

template <class T>
void interleave_values(std::span<const Column* const> sources, std::span<const Pick> picks, Column& to) {
  T* out = to.values_mut<T>();
  for (std::size_t i = 0; i < picks.size(); ++i)
    if (picks[i].source == Pick::kNull)
      out[i] = T{};
    else
      out[i] = sources[picks[i].source]->data.as<T>()[picks[i].row];
}

void interleave_fixed(std::span<const Column* const> sources, std::span<const Pick> picks, Column& to) {
  switch (value_width(to.type)) {
    case 1:
      return interleave_values<std::uint8_t>(sources, picks, to);
    case 4:
      return interleave_values<std::uint32_t>(sources, picks, to);
    case 8:
      if (to.type.kind() == TypeKind::double_) return interleave_values<double>(sources, picks, to);
      return interleave_values<std::int64_t>(sources, picks, to);
    default:
      if (to.type.kind() == TypeKind::decimal) return interleave_values<Int128>(sources, picks, to);
      return interleave_values<std::string_view>(sources, picks, to);
  }
}

Type child_type(const Type& type, std::size_t child) {
  if (type.kind() == TypeKind::array) return type.element();
  if (type.kind() == TypeKind::map) return child == 0 ? type.key() : type.value();
  return type.fields()[child].type;
}

std::shared_ptr<Column> interleave_child(const Column& to, std::span<const Column* const> sources, std::size_t child,
                                         std::span<const Pick> picks) {
  std::vector<const Column*> children;
  for (const Column* source : sources) children.push_back(source->children[child].get());
  return interleave(child_type(to.type, child), children, picks);
}

void interleave_lists(std::span<const Column* const> sources, std::span<const Pick> picks, Column& to) {
  to.data.resize((picks.size() + 1) * 4);
  auto* out = to.data.as<std::uint32_t>();
  std::vector<Pick> elements;
  out[0] = 0;
  for (std::size_t i = 0; i < picks.size(); ++i) {
    if (picks[i].source != Pick::kNull && !sources[picks[i].source]->is_null(picks[i].row)) {
      const auto* in = sources[picks[i].source]->data.as<std::uint32_t>();
      for (std::uint32_t e = in [picks[i].row]; e < in[picks[i].row + 1]; ++e) elements.push_back({picks[i].source, e});
    }
    out[i + 1] = static_cast<std::uint32_t>(elements.size());
  }
  const std::size_t children = to.type.kind() == TypeKind::array ? 1 : 2;
  for (std::size_t c = 0; c < children; ++c) to.children.push_back(interleave_child(to, sources, c, elements));
}

void interleave_nulls(std::span<const Column* const> sources, std::span<const Pick> picks, Column& to) {
  for (std::size_t i = 0; i < picks.size(); ++i)
    if (picks[i].source == Pick::kNull || sources[picks[i].source]->is_null(picks[i].row))
      to.nulls.set(i, picks.size());
}

template <class T>
std::shared_ptr<const std::vector<T>> gather_vector(const std::shared_ptr<const std::vector<T>>& from,
                                                    std::span<const std::uint32_t> rows) {
  if (from == nullptr) return nullptr;
  auto to = std::make_shared<std::vector<T>>(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) (*to)[i] = (*from)[rows[i]];
  return to;
}

}  // namespace

std::shared_ptr<Column> gather(const Column& column, std::span<const std::uint32_t> rows) {
  auto to = std::make_shared<Column>();
  to->type = column.type;
  to->size = rows.size();
  to->nulls = gather_bits(column.nulls, rows);
  to->keep_alive(column);
  switch (column.type.kind()) {
    case TypeKind::array:
    case TypeKind::map:
      gather_lists(column, rows, *to);
      break;
    case TypeKind::structure:
      for (const auto& child : column.children) to->children.push_back(gather(*child, rows));
      break;
    default:
      to->data.resize(rows.size() * value_width(column.type));
      gather_fixed(column, rows, *to);
  }
  return to;
}

std::shared_ptr<Column> interleave(const Type& type, std::span<const Column* const> sources,
                                   std::span<const Pick> picks) {
  auto to = std::make_shared<Column>();
  to->type = type;
  to->size = picks.size();
  for (const Column* source : sources) to->keep_alive(*source);
  interleave_nulls(sources, picks, *to);
  switch (type.kind()) {
    case TypeKind::array:
    case TypeKind::map:
      interleave_lists(sources, picks, *to);
      break;
    case TypeKind::structure:
      for (std::size_t c = 0; c < type.fields().size(); ++c)
        to->children.push_back(interleave_child(*to, sources, c, picks));
      break;
    default:
      to->data.resize(picks.size() * value_width(type));
      interleave_fixed(sources, picks, *to);
  }
  return to;
}

Batch gather(const Batch& batch, std::span<const std::uint32_t> rows) {
  Batch to;
  to.rows = rows.size();
  to.columns.reserve(batch.columns.size());
  for (const ColumnPtr& column : batch.columns) to.columns.push_back(gather(*column, rows));
  to.timestamps = gather_vector(batch.timestamps, rows);
  to.window_start = gather_vector(batch.window_start, rows);
  to.window_end = gather_vector(batch.window_end, rows);
  to.offsets = gather_vector(batch.offsets, rows);
  to.null_keys = gather_bits(batch.null_keys, rows);
  to.null_values = gather_bits(batch.null_values, rows);
  to.partition = batch.partition;
  if (!batch.kinds.empty()) {
    to.kinds.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) to.kinds[i] = batch.kinds[rows[i]];
  }
  if (!batch.headers.empty()) {
    to.headers.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) to.headers[i] = batch.headers[rows[i]];
  }
  return to;
}

}  // namespace millrace::inline exec
