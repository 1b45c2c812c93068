#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "exec/data/result.h"

/// Places where tests make things go wrong (design.md §9). A place calls `hit(name)` and returns the error it gets. Any
/// thread. With nothing armed a hit costs one relaxed load.
namespace millrace::inline exec::failpoint {

/// The places. A name that no place uses is never hit.
inline constexpr std::string_view kBeforeProgress =
    "progress.write";  // worker: before progress is appended to the transaction
inline constexpr std::string_view kBeforeEnd = "commit.fenced";  // log: between fence and end of transaction
inline constexpr std::string_view kOthersEnded =
    "commit.others_ended";  // Kafka: other clusters have their parts, the one with the progress has not
inline constexpr std::string_view kAfterEnd =
    "commit.ended";                                         // worker: the transaction has ended, memory not yet flipped
inline constexpr std::string_view kSpill = "state.spill";   // state: files written, not yet ingested
inline constexpr std::string_view kLogWrite = "log.write";  // embedded log: instead of the write to disk
inline constexpr std::string_view kLogIndex = "log.index";  // embedded log: after that write, before its index knows it
inline constexpr std::string_view kLogSync = "log.sync";    // embedded log: its files have just been synced to disk
inline constexpr std::string_view kLogAppendNow = "log.append_now";  // any log: before a record outside transactions

struct Action {
  enum class Kind : std::uint8_t { error, callback, crash, hang, wait };  // hang: the thread goes no further
  Kind kind = Kind::error;
  int after = 0;  // hits that pass before it acts
  int times = 1;  // hits it acts on, then it disarms itself; -1: for ever
  Error error{Fault::external, "failpoint"};
  std::function<void()> callback = nullptr;  // kind callback: run without locks of this module; the hit then passes
};

/// Replaces what was armed under `name`. A crash ends the process at once with status 42, as kill -9 would.
void arm(std::string_view name, Action action);
void disarm_all();
/// Times `name` was reached since it was armed first; counting starts with arming.
int hits(std::string_view name);
/// Arms from text, for processes under test: "NAME=crash@AFTER;NAME=error@AFTER;NAME=hang@AFTER;NAME=wait@AFTER". A
/// wait takes twice as long as statements wait for workers, and is told in the log. A bad text is a user error.
Status arm_from_text(std::string_view text);

namespace detail {
extern std::atomic<int> armed;
Status hit_armed(std::string_view name);
}  // namespace detail

inline Status hit(std::string_view name) {
  if (detail::armed.load(std::memory_order_relaxed) == 0) [[likely]]
    return {};
  return detail::hit_armed(name);
}

}  // namespace millrace::inline exec::failpoint
