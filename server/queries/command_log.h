#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "server/queries/state.h"

namespace millrace::inline server {

/// How a command fared when it was applied.
struct CommandOutcome {
  std::int64_t sequence = -1;
  bool stale = false;           // validated against an older catalog: validate again
  std::optional<Error> error;   // it could not be applied
  std::string unfinished = {};  // what of it is carried out later
};

/// The single-partition topic through which every change of the catalog goes, and the thread that applies it.
/// Thread-safe.
class CommandLog {
 public:
  struct Events {
    /// Commands were accepted, in log order: those that were submitted together are told together, as far as possible.
    /// Runs on the log's thread. Gives what is carried out later.
    std::function<std::string(const std::vector<Command>& commands)> applied;
  };

  /// Creates the topic when it is missing, replays it to its end, calls `replayed` with the outcome, then follows it on
  /// a thread of its own.
  static Result<std::unique_ptr<CommandLog>> open(Log& log, const std::string& service_id, int replicas,
                                                  std::optional<int> min_insync, const FunctionCatalog& functions,
                                                  const std::function<void(const StatePtr&)>& replayed, Events events);
  virtual ~CommandLog() = default;

  virtual StatePtr state() const = 0;
  /// How those fared that could be appended, absent where the time was over; and why the others could not.
  struct Submitted {
    std::vector<std::optional<CommandOutcome>> outcomes;
    std::optional<Error> error;
  };
  /// Appends them, in this order, and waits until they are applied here, at most `wait`.
  virtual Submitted submit(std::vector<Command> commands, std::chrono::milliseconds wait) = 0;
  /// Waits until at least `sequence` is applied; false when the time was over.
  virtual bool wait_for(std::int64_t sequence, std::chrono::milliseconds wait) = 0;
  /// Why the thread cannot go on, if it cannot: /healthcheck shows it.
  virtual std::optional<std::string> failure() const = 0;
};

}  // namespace millrace::inline server
