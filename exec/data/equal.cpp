#include "exec/data/equal.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

#include "planner/types/decimal.h"
#include "planner/types/text_order.h"

namespace millrace::inline exec {
namespace {

std::uint32_t list_size(const Column& column, std::size_t row) {
  const auto* offsets = column.data.as<std::uint32_t>();
  return offsets[row + 1] - offsets[row];
}

bool equal_lists(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  const std::uint32_t size = list_size(a, row_a);
  if (size != list_size(b, row_b)) return false;
  const std::uint32_t from_a = a.data.as<std::uint32_t>()[row_a];
  const std::uint32_t from_b = b.data.as<std::uint32_t>()[row_b];
  for (std::uint32_t i = 0; i < size; ++i)
    if (!equal_values(*a.children[0], from_a + i, *b.children[0], from_b + i)) return false;
  return true;
}

bool equal_maps(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  const std::uint32_t size = list_size(a, row_a);
  if (size != list_size(b, row_b)) return false;
  const std::uint32_t from_a = a.data.as<std::uint32_t>()[row_a];
  const std::uint32_t from_b = b.data.as<std::uint32_t>()[row_b];
  for (std::uint32_t i = 0; i < size; ++i) {
    bool found = false;
    for (std::uint32_t j = 0; j < size && !found; ++j)
      found = equal_values(*a.children[0], from_a + i, *b.children[0], from_b + j) &&
              equal_values(*a.children[1], from_a + i, *b.children[1], from_b + j);
    if (!found) return false;
  }
  return true;
}

template <class T>
std::weak_ordering order(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  const T left = a.data.as<T>()[row_a];
  const T right = b.data.as<T>()[row_b];
  if (left < right) return std::weak_ordering::less;
  return right < left ? std::weak_ordering::greater : std::weak_ordering::equivalent;
}

bool is_plain(double value) {
  return std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(plain_double(value));
}
bool is_plain(const Column& column) {
  if (column.type.kind() == TypeKind::double_)
    return std::ranges::all_of(column.values<double>(), [](double value) { return is_plain(value); });
  return std::ranges::all_of(column.children, [](const auto& child) { return is_plain(*child); });
}
void make_plain(Column& column) {
  if (column.type.kind() == TypeKind::double_)
    std::transform(column.values_mut<double>(), column.values_mut<double>() + column.size, column.values_mut<double>(),
                   plain_double);
  for (const auto& child : column.children) make_plain(*child);
}

}  // namespace

ColumnPtr with_plain_doubles(const ColumnPtr& column) {
  if (is_plain(*column)) return column;
  std::vector<std::uint32_t> rows(column->size);
  std::iota(rows.begin(), rows.end(), 0u);
  auto made = gather(*column, rows);
  make_plain(*made);
  return made;
}

std::weak_ordering compare_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  switch (a.type.kind()) {
    case TypeKind::boolean:
      return order<std::uint8_t>(a, row_a, b, row_b);
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return order<std::int32_t>(a, row_a, b, row_b);
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return order<std::int64_t>(a, row_a, b, row_b);
    case TypeKind::double_:
      return order<double>(a, row_a, b, row_b);
    case TypeKind::decimal:
      return decimal_compare({a.data.as<Int128>()[row_a], a.type.scale()},
                             {b.data.as<Int128>()[row_b], b.type.scale()});
    case TypeKind::string:
      return compare_text(a.data.as<std::string_view>()[row_a], b.data.as<std::string_view>()[row_b]);
    case TypeKind::bytes:
      return order<std::string_view>(a, row_a, b, row_b);
    default:
      return std::weak_ordering::equivalent;
  }
}

bool equal_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  const bool null_a = a.is_null(row_a);
  if (null_a || b.is_null(row_b)) return null_a == b.is_null(row_b);
  switch (a.type.kind()) {
    case TypeKind::double_:
      return a.data.as<double>()[row_a] == b.data.as<double>()[row_b];
    case TypeKind::string:
    case TypeKind::bytes:
      return a.data.as<std::string_view>()[row_a] == b.data.as<std::string_view>()[row_b];
    case TypeKind::array:
      return equal_lists(a, row_a, b, row_b);
    case TypeKind::map:
      return equal_maps(a, row_a, b, row_b);
    case TypeKind::structure:
      for (std::size_t i = 0; i < a.children.size(); ++i)
        if (!equal_values(*a.children[i], row_a, *b.children[i], row_b)) return false;
      return true;
    default:
      return compare_values(a, row_a, b, row_b) == 0;
  }
}

}  // namespace millrace::inline exec
