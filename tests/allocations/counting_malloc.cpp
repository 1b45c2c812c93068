#include "tests/allocations/counting_malloc.h"

#include <execinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace millrace::allocations {
namespace {

// Counted per thread, so that the threads of a log and of RocksDB do not disturb.
thread_local constinit std::uint64_t allocated = 0;
thread_local constinit bool tracing = false;

void note() {
  ++allocated;
  if (!tracing) return;
  tracing = false;  // what prints allocates too
  void* frames[16];
  backtrace_symbols_fd(frames, backtrace(frames, 16), STDERR_FILENO);
  (void)!write(STDERR_FILENO, "--\n", 3);
  tracing = true;
}

}  // namespace

std::uint64_t count() {
  return allocated;
}
Trace::Trace() {
  tracing = true;
}
Trace::~Trace() {
  tracing = false;
}

}  // namespace millrace::allocations

// The allocator stays glibc's: these names are where it keeps what malloc and the like are.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  millrace::allocations::note();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  millrace::allocations::note();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  millrace::allocations::note();
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  millrace::allocations::note();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}
