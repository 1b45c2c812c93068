#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline planner {

/// The candidate with the smallest edit distance to `name` (case does not count); empty when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);
/// `did you mean X?`, or empty.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace millrace::inline planner
