#pragma once

#include <map>
#include <set>
#include <string>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// How many partitions these topics have, 0: there is no such topic; asked of each cluster at once. Those of another
/// cluster that does not tell are left out.
Result<std::map<std::string, int>> partition_counts(Log& log, const std::set<std::string>& topics);

}  // namespace millrace::inline exec
