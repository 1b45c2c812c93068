#pragma once

#include "planner/bind/finite_from.h"

namespace millrace::inline planner {

/// Each left row and the version of its partner that was there at its time, the last one where several are of one time.
/// A removal is a version, which nothing meets.
/// `scope`: what names mean behind the join, the versions last among its sources.
NodePtr meet_versions(FiniteJoinNode join, const ast::JoinedSource& clause, const Scope& scope,
                      const BindContext& context);

}  // namespace millrace::inline planner
