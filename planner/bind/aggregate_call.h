#pragma once

#include <string>

#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {

/// Binds a call of an aggregate or of a function over windows, whatever its OVER. `binder` binds expressions over the
/// rows that it takes in. `column`: the name of its result.
AggregateCall bind_aggregate(const ast::ExprPtr& expr, ExprBinder& binder, const Scope& scope,
                             const BindContext& context, std::string column);

}  // namespace millrace::inline planner
