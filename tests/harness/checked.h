#pragma once

#include <stdexcept>
#include <utility>

#include "exec/data/result.h"

namespace millrace::harness {

/// The value; an error ends the test with its message.
template <class T>
T checked(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void checked(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

}  // namespace millrace::harness
