#pragma once

#include <fmt/format.h>

#include <boost/system/result.hpp>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace millrace::inline exec {

/// Whose fault an execution error is; decides what the runtime does about it.
enum class Fault : std::uint8_t {
  user,         // the query or its data: the query stops with this message
  external,     // broker, disk, network: retried with back-off
  fenced,       // this process no longer owns what it writes for: drop and restart from the log
  unavailable,  // what was asked for is on its way to another process, not restored yet, or in a cluster that is away
  bug,          // ours: fails only its query
};

struct Error {
  Fault fault = Fault::bug;
  std::string message;
  bool retriable() const { return fault == Fault::external || fault == Fault::fenced || fault == Fault::unavailable; }
};

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

template <class... Args>
Error user_error(fmt::format_string<Args...> text, Args&&... args) {
  return Error{Fault::user, fmt::format(text, std::forward<Args>(args)...)};
}
template <class... Args>
Error external_error(fmt::format_string<Args...> text, Args&&... args) {
  return Error{Fault::external, fmt::format(text, std::forward<Args>(args)...)};
}

template <class... Args>
Error unavailable_error(fmt::format_string<Args...> text, Args&&... args) {
  return Error{Fault::unavailable, fmt::format(text, std::forward<Args>(args)...)};
}

/// What `work` returns (a Result or a Status); an exception that leaves it is an error of ours. For the few places
/// where code of one query is called from what serves many.
template <class Work>
auto contained(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& error) {
    return Error{Fault::bug, error.what()};
  }
}

}  // namespace millrace::inline exec
