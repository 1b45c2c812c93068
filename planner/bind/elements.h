#pragma once

#include "planner/bind/binder.h"
#include "planner/bind/scope.h"

namespace millrace::inline planner {

/// UNNEST right of a JOIN: the elements of a list of each row left of it, as a source whose columns follow those of
/// that row. `left`: what stands there.
ScopeSource open_elements(const ast::FromSource& source, const Scope& left, const BindContext& context);

/// Throws for what may not stand beside UNNEST; gives what must hold of its rows, null: nothing.
ast::ExprPtr condition_of_elements(const ast::JoinedSource& join);

/// The schema that the columns of the source give a node.
Schema element_columns(const ScopeSource& source);

}  // namespace millrace::inline planner
