#pragma once

#include <source_location>
#include <stdexcept>
#include <string_view>

namespace millrace::inline parser {

/// A mistake of Millrace's own. It fails the statement or the query that met it, never the process: `server/session`
/// and the tasks of `exec/runtime` catch it.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_internally(std::string_view what, const std::source_location& where);

/// What must hold unless Millrace itself is wrong; checked in every build. Throws InternalError.
inline void ensure(bool holds, std::string_view what = {},
                   const std::source_location& where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    fail_internally(what, where);
}

}  // namespace millrace::inline parser
