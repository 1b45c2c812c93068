#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exec/expr/evaluator.h"
#include "parser/error/mutex.h"
#include "server/queries/state.h"
#include "server/session/pull_template.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// What a pull query computes from the rows of its table. One thread at a time.
struct PullProjection {
  explicit PullProjection(const BoundPull& pull);
  std::vector<Evaluator> items;
};

/// A pull query of some shape, ready for the literals of one text. Thread-safe.
class KnownPull {
 public:
  KnownPull(std::uint64_t catalog_version, std::shared_ptr<const PullTemplate> plan, QueryPtr query);

  const std::uint64_t version;
  const std::shared_ptr<const PullTemplate> plan;
  const QueryPtr query;  // the one that keeps the table
  const Schema columns;  // as the client sees them

  std::unique_ptr<PullProjection> take_projection();
  void give_back(std::unique_ptr<PullProjection> projection);

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<PullProjection>> idle_ GUARDED_BY(mutex_);
};

/// Pull queries by the shape of their text and the properties that came with it. Thread-safe.
class PullCache {
 public:
  /// Null when there is none that was made for this version of the catalog.
  std::shared_ptr<KnownPull> find(std::string_view key, std::uint64_t version) const;
  void put(std::string key, std::shared_ptr<KnownPull> pull);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<KnownPull>, Hash, std::equal_to<>> pulls_ GUARDED_BY(mutex_);
};

/// The columns of a pull query's answer.
Schema pull_columns(const BoundPull& pull);

}  // namespace millrace::inline server
