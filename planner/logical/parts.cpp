#include "planner/logical/parts.h"

#include <tuple>

namespace millrace::inline planner {

bool same(const TableCall& a, const TableCall& b) {
  return std::tie(a.function, a.variant, a.column) == std::tie(b.function, b.variant, b.column) &&
         same(a.arguments, b.arguments);
}

bool same(const AggregateCall& a, const AggregateCall& b) {
  return std::tie(a.function, a.variant, a.constants, a.column, a.limit) ==
             std::tie(b.function, b.variant, b.constants, b.column, b.limit) &&
         same(a.arguments, b.arguments);
}

}  // namespace millrace::inline planner
