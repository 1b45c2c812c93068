#include "parser/error/ensure.h"

#include <fmt/format.h>

namespace millrace::inline parser {

void fail_internally(std::string_view what, const std::source_location& where) {
  std::string_view file = where.file_name();
  file.remove_prefix(file.rfind('/') + 1);
  throw InternalError(fmt::format("internal error at {}:{}{}{}", file, where.line(), what.empty() ? "" : ": ", what));
}

}  // namespace millrace::inline parser
