#pragma once

#include <string>
#include <string_view>

namespace millrace {

/// The word that begins a statement and is nearest to `word` by edit distance, in upper case.
std::string closest_command(std::string_view word);

}  // namespace millrace
