#pragma once

#include <string>

namespace bound {

/// A workload (w1 to w5) over values in memory, with no log: one thread, its rows written into a buffer and forgotten.
/// Files hold a value in each line; `table`: those of the table side of w5. Prints one line of JSON. False: there is no
/// such workload.
bool run_floor(const std::string& name, const std::string& values, const std::string& table);

}  // namespace bound
