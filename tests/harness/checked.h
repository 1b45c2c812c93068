#pragma once

#include <stdexcept>
#include <utility>

#include "exec/data/result.h"

namespace millrace::harness {

/// What the log or the engine would not do.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The value; an error ends the test with its message.
template <class T>
T checked(Result<T> result) {
  if (!result) throw Failure(result.error().message);
  return std::move(*result);
}
inline void checked(const Status& status) {
  if (!status) throw Failure(status.error().message);
}

}  // namespace millrace::harness
