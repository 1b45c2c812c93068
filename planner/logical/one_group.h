#pragma once

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// Gives all rows the same key.
inline bool one_group(const PlanNode& node) {
  const auto* rekey = node.as<RekeyNode>();
  return rekey != nullptr && rekey->keys.size() == 1 && rekey->keys[0].expr->as<LiteralExpr>() != nullptr;
}

}  // namespace millrace::inline planner
