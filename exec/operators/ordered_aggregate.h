#pragma once

#include <memory>

#include "exec/functions/aggregate.h"

namespace millrace::inline exec {

/// An aggregate that takes its rows in the order that the call says, however they come: it keeps them all. Its
/// arguments are those of `inner`, then what they are ordered by. Rows that are equal in the order go as they came.
std::unique_ptr<Aggregate> make_ordered(std::unique_ptr<Aggregate> inner, const AggregateCall& call);

}  // namespace millrace::inline exec
