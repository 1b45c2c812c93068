#pragma once

#include <mutex>
#include <shared_mutex>

// What a mutex guards, in words that clang checks (`-Wthread-safety`, the test `thread_safety`); nothing to other
// compilers.
#ifdef __clang__
#define MILLRACE_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define MILLRACE_THREAD_ATTRIBUTE(x)
#endif

/// A member that is read and written with that mutex held only.
#define GUARDED_BY(mutex) MILLRACE_THREAD_ATTRIBUTE(guarded_by(mutex))
/// The caller of a function holds these mutexes.
#define REQUIRES(...) MILLRACE_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) MILLRACE_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
/// The caller of a function must not hold these mutexes.
#define EXCLUDES(...) MILLRACE_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
/// A function that returns a reference to that mutex.
#define RETURNS_MUTEX(mutex) MILLRACE_THREAD_ATTRIBUTE(lock_returned(mutex))
/// A function that keeps to its locks in a way that the analysis cannot follow; a comment says how.
#define UNCHECKED_LOCKS MILLRACE_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace millrace::inline parser {

/// std::mutex and its kin with the names of their operations known to the analysis.
template <class Base>
class MILLRACE_THREAD_ATTRIBUTE(capability("mutex")) CheckedMutex : public Base {
 public:
  void lock() MILLRACE_THREAD_ATTRIBUTE(acquire_capability()) { Base::lock(); }
  void unlock() MILLRACE_THREAD_ATTRIBUTE(release_capability()) { Base::unlock(); }
  /// Tells the analysis what it cannot see: the caller holds this mutex.
  void assert_held() const MILLRACE_THREAD_ATTRIBUTE(assert_capability(this)) {}
  bool try_lock() MILLRACE_THREAD_ATTRIBUTE(try_acquire_capability(true)) { return Base::try_lock(); }
};
using Mutex = CheckedMutex<std::mutex>;
using RecursiveMutex = CheckedMutex<std::recursive_mutex>;
using SharedMutex = CheckedMutex<std::shared_mutex>;

/// Holds a mutex while it lives, but between unlock() and lock(). Conditions can wait with it.
template <class Base>
class MILLRACE_THREAD_ATTRIBUTE(scoped_lockable) CheckedLock : public std::unique_lock<Base> {
 public:
  explicit CheckedLock(CheckedMutex<Base>& mutex) MILLRACE_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : std::unique_lock<Base>(mutex) {}
  CheckedLock(const CheckedLock&) = delete;
  CheckedLock& operator=(const CheckedLock&) = delete;
  ~CheckedLock() MILLRACE_THREAD_ATTRIBUTE(release_capability()) {}
  void lock() MILLRACE_THREAD_ATTRIBUTE(acquire_capability()) { std::unique_lock<Base>::lock(); }
  void unlock() MILLRACE_THREAD_ATTRIBUTE(release_capability()) { std::unique_lock<Base>::unlock(); }
};
using MutexLock = CheckedLock<std::mutex>;
using RecursiveLock = CheckedLock<std::recursive_mutex>;
using WriteLock = CheckedLock<std::shared_mutex>;

/// Shares a mutex with other readers while it lives.
class MILLRACE_THREAD_ATTRIBUTE(scoped_lockable) ReadLock {
 public:
  explicit ReadLock(SharedMutex& mutex) MILLRACE_THREAD_ATTRIBUTE(acquire_shared_capability(mutex)) : lock_(mutex) {}
  ~ReadLock() MILLRACE_THREAD_ATTRIBUTE(release_generic_capability()) {}

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

}  // namespace millrace::inline parser
