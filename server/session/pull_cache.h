#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exec/runtime/prepared_pull.h"
#include "parser/error/mutex.h"
#include "parser/syntax/statement_shape.h"
#include "planner/bind/binder.h"

namespace millrace::inline server {

/// A pull query on a table, planned for every text that differs from the first in the values of its parameters only.
/// Immutable; any thread.
class KnownPull {
 public:
  /// Of a plan without parameters.
  /// `allowed_lag`: see PreparedPull. `kept`: the source, where no query keeps the table, but this process; else empty.
  KnownPull(std::shared_ptr<const PhysicalPlan> plan, std::optional<std::int64_t> allowed_lag, std::string kept = {});
  /// `text` is what was planned and `shape` was read from. Null when a parameter's literal is not among those of the
  /// shape.
  static std::shared_ptr<const KnownPull> make(std::shared_ptr<const PhysicalPlan> plan,
                                               std::optional<std::int64_t> allowed_lag, std::string kept,
                                               const std::vector<PullParameter>& parameters, std::string_view text,
                                               const StatementShape& shape);

  const std::shared_ptr<PreparedPull> pull;
  const Schema columns;    // as the client sees them
  const std::string kept;  // the plan is good as long as the process keeps the source under the pull's keeper()

  /// The literals of the shape that are no parameters: the plan depends on what they say.
  const std::vector<std::size_t>& fixed() const { return fixed_; }
  /// Values of the parameters. Nullopt when a text must be parsed, for the mistake in it.
  std::optional<std::vector<Value>> values(const StatementShape& shape) const;

 private:
  struct Place {
    std::size_t literal;  // of the shape
    bool negative;
    Type type;
    bool time;
  };
  static std::optional<Value> value_of(const Place& place, const LiteralToken& literal);

  std::vector<Place> places_;
  std::vector<std::size_t> fixed_;
};
using KnownPullPtr = std::shared_ptr<const KnownPull>;

/// Pull queries by the shape of their text, the properties that came with it, and the literals that are no parameters;
/// each for one version of the catalog. Thread-safe.
class PullCache {
 public:
  /// `shape`: its key may be added to.
  KnownPullPtr find(StatementShape& shape, std::uint64_t version) const;
  void put(StatementShape& shape, std::uint64_t version, KnownPullPtr pull);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Entry {
    std::uint64_t version = 0;
    std::vector<std::size_t> fixed;  // not empty: these literals are a part of the key under which the plan is
    KnownPullPtr pull;
  };
  const Entry* look(std::string_view key, std::uint64_t version) const REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> pulls_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline server
