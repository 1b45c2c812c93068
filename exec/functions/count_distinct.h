#pragma once

#include "exec/functions/declare.h"

namespace millrace::inline exec {

/// COUNT_DISTINCT of one argument of any type.
AggregateMaker count_distinct_aggregate();

}  // namespace millrace::inline exec
