#include "exec/operators/row_order.h"

#include "planner/types/text_order.h"

namespace millrace::inline exec {
namespace {

template <class T>
int order_of(const Column& a, std::uint32_t x, const Column& b, std::uint32_t y) {
  const T left = a.data.as<T>()[x], right = b.data.as<T>()[y];
  return left < right ? -1 : right < left ? 1 : 0;
}

/// As `<` has it, NaN above all numbers. Neither is NULL.
int compare_values(const Column& a, std::uint32_t x, const Column& b, std::uint32_t y) {
  switch (a.type.kind()) {
    case TypeKind::boolean:
      return order_of<std::uint8_t>(a, x, b, y);
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return order_of<std::int32_t>(a, x, b, y);
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return order_of<std::int64_t>(a, x, b, y);
    case TypeKind::double_: {
      const double left = a.data.as<double>()[x], right = b.data.as<double>()[y];
      if (left != left || right != right) return static_cast<int>(left != left) - static_cast<int>(right != right);
      return left < right ? -1 : right < left ? 1 : 0;
    }
    case TypeKind::decimal:
      return order_of<Int128>(a, x, b, y);
    case TypeKind::string: {
      const auto order = compare_text(a.data.as<std::string_view>()[x], b.data.as<std::string_view>()[y]);
      return order < 0 ? -1 : order > 0 ? 1 : 0;
    }
    default:  // BYTES; the binder lets nothing else through
      return a.data.as<std::string_view>()[x].compare(b.data.as<std::string_view>()[y]);
  }
}

}  // namespace

int compare_rows(std::span<const SortKey> order, const std::vector<ColumnPtr>& a, std::uint32_t x,
                 const std::vector<ColumnPtr>& b, std::uint32_t y) {
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Column &left = *a[k], &right = *b[k];
    const bool left_null = left.is_null(x), right_null = right.is_null(y);
    if (left_null && right_null) continue;
    if (left_null || right_null) return left_null == order[k].nulls_first ? -1 : 1;
    const int compared = compare_values(left, x, right, y);
    if (compared != 0) return order[k].descending ? -compared : compared;
  }
  return 0;
}

}  // namespace millrace::inline exec
