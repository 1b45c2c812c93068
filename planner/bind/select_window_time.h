#pragma once

#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// WINDOW (..., ON column) and (..., ON PROCTIME): rows get the time that their windows go by.
void bind_window_time(const SelectInput& input, const Scope& scope, KeyedPlan& plan);

}  // namespace millrace::inline planner
