#pragma once

#include <string>
#include <string_view>

namespace millrace::inline parser {

/// The word that begins a statement and is nearest to `word` by edit distance, in upper case.
std::string closest_command(std::string_view word);

/// Insertions, deletions and replacements that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace millrace::inline parser
