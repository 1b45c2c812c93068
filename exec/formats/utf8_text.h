#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// The text itself where it is UTF-8; else a copy in `arena` (made when first needed) with U+FFFD for every broken
/// sequence, as Java decodes it. STRING columns hold nothing but UTF-8.
std::string_view as_utf8(std::string_view text, std::shared_ptr<Arena>& arena);
std::string to_utf8(std::string text);

}  // namespace millrace::inline exec
