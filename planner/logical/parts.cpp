#include "planner/logical/parts.h"

#include <algorithm>
#include <tuple>

namespace millrace::inline planner {

std::vector<ProjectItem> column_items(const Schema& schema, std::size_t count) {
  std::vector<ProjectItem> items;
  for (std::size_t i = 0; i < std::min(count, schema.size()); ++i)
    items.push_back({schema.columns[i], make_column(i, schema.columns[i].type, schema.columns[i].name)});
  return items;
}

bool same(const TableCall& a, const TableCall& b) {
  return std::tie(a.function, a.variant, a.column) == std::tie(b.function, b.variant, b.column) &&
         same(a.arguments, b.arguments);
}

bool same(const AggregateCall& a, const AggregateCall& b) {
  return std::tie(a.function, a.variant, a.constants, a.column, a.limit, a.distinct) ==
             std::tie(b.function, b.variant, b.constants, b.column, b.limit, b.distinct) &&
         same(a.arguments, b.arguments) && same(a.filter, b.filter) && same(a.order, b.order) && a.first == b.first;
}

bool same(const WindowLimit& a, const WindowLimit& b) {
  return a.bound == b.bound && a.op == b.op && same(a.value, b.value);
}

bool same(const KeyAccess& a, const KeyAccess& b) {
  return same(a.key, b.key) && same(a.limits, b.limits);
}

bool same(const OverCall& a, const OverCall& b) {
  return a.frame == b.frame && a.ignore_nulls == b.ignore_nulls && same(a.call, b.call);
}

bool same(const SortKey& a, const SortKey& b) {
  return a.descending == b.descending && a.nulls_first == b.nulls_first && same(a.expr, b.expr);
}

}  // namespace millrace::inline planner
