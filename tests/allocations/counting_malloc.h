#pragma once

#include <cstdint>

namespace millrace::allocations {

/// How often this thread has asked for memory: every malloc and what is built on it, operator new included.
std::uint64_t count();

/// While one is alive, each allocation of this thread prints where it comes from. For finding them.
struct Trace {
  Trace();
  ~Trace();
};

}  // namespace millrace::allocations
