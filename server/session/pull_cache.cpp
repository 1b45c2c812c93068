#include "server/session/pull_cache.h"

#include "parser/error/mutex.h"
namespace millrace::inline server {
namespace {

constexpr std::size_t kMostShapes = 1000;
constexpr std::size_t kIdleProjections = 8;

}  // namespace

PullProjection::PullProjection(const BoundPull& pull) {
  for (const ProjectItem& item : pull.items) items.emplace_back(item.expr);
}

Schema pull_columns(const BoundPull& pull) {
  Schema schema;
  for (const ProjectItem& item : pull.items) schema.columns.push_back(item.column);
  return schema;
}

KnownPull::KnownPull(std::uint64_t catalog_version, std::shared_ptr<const PullTemplate> the_plan, QueryPtr the_query)
    : version(catalog_version),
      plan(std::move(the_plan)),
      query(std::move(the_query)),
      columns(pull_columns(plan->bound())) {}

std::unique_ptr<PullProjection> KnownPull::take_projection() {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto projection = std::move(idle_.back());
      idle_.pop_back();
      return projection;
    }
  }
  return std::make_unique<PullProjection>(plan->bound());
}

void KnownPull::give_back(std::unique_ptr<PullProjection> projection) {
  const MutexLock lock(mutex_);
  if (idle_.size() < kIdleProjections) idle_.push_back(std::move(projection));
}

std::shared_ptr<KnownPull> PullCache::find(std::string_view key, std::uint64_t version) const {
  const MutexLock lock(mutex_);
  const auto found = pulls_.find(key);
  return found != pulls_.end() && found->second->version == version ? found->second : nullptr;
}

void PullCache::put(std::string key, std::shared_ptr<KnownPull> pull) {
  const MutexLock lock(mutex_);
  if (pulls_.size() >= kMostShapes) pulls_.clear();
  pulls_.insert_or_assign(std::move(key), std::move(pull));
}

}  // namespace millrace::inline server
