#include "planner/types/topic_name.h"

#include <algorithm>
#include <cctype>

namespace millrace::inline planner {

bool is_cluster_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return (c < 128 && std::isalnum(c) != 0) || c == '-' || c == '_';
  });
}

}  // namespace millrace::inline planner
