#include "server/session/kept_tables.h"

#include <utility>

namespace millrace::inline server {
namespace {

class HeldRows final : public TableRows {
 public:
  HeldRows(std::shared_ptr<TableRows> rows, std::vector<std::shared_ptr<KeptTable>> tables)
      : tables_(std::move(tables)), rows_(std::move(rows)) {}
  Result<std::optional<Batch>> next() override { return rows_->next(); }

 private:
  const std::vector<std::shared_ptr<KeptTable>> tables_;  // gone after the rows
  const std::shared_ptr<TableRows> rows_;
};

}  // namespace

std::optional<std::shared_ptr<KeptTable>> KeptTables::known(const SourcePtr& source) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(source->name);
  if (found == kept_.end() || found->second.source != source) return std::nullopt;
  found->second.asked = Clock::now();
  return found->second.table;
}

std::shared_ptr<KeptTable> KeptTables::find(const SourcePtr& source) {
  return known(source).value_or(nullptr);
}

Result<std::shared_ptr<KeptTable>> KeptTables::get(const SourcePtr& source, const Make& make) {
  if (auto kept = known(source)) return *kept;
  const MutexLock changing(changing_);
  if (auto kept = known(source)) return *kept;
  auto made = make();
  if (!made) return made.error();
  Kept before;
  const MutexLock lock(mutex_);
  if (!cleared_) before = std::exchange(kept_[source->name], {source, *made, Clock::now()});
  return made;
}

std::optional<std::size_t> KeptTables::memory_bytes(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(name);
  if (found == kept_.end() || found->second.table == nullptr) return std::nullopt;
  return found->second.table->memory_bytes();
}

void KeptTables::refuse(const SourcePtr& source) {
  const MutexLock changing(changing_);
  Kept before;
  const MutexLock lock(mutex_);
  if (!cleared_) before = std::exchange(kept_[source->name], {source, nullptr, Clock::now()});
}

void KeptTables::forget(const std::function<bool(Kept&)>& which) {
  const MutexLock changing(changing_);
  std::vector<Kept> gone;
  const MutexLock lock(mutex_);
  for (auto it = kept_.begin(); it != kept_.end();) {
    if (!which(it->second)) {
      ++it;
      continue;
    }
    gone.push_back(std::move(it->second));
    it = kept_.erase(it);
  }
}

void KeptTables::forget_idle() {
  const auto now = Clock::now();
  forget([&](Kept& kept) {
    if (kept.table.use_count() > 1) kept.asked = now;  // a query reads it
    return now - kept.asked >= idle_ || kept.table == nullptr;
  });
}

void KeptTables::forget(const std::string& name) {
  Kept gone;
  const MutexLock lock(mutex_);
  const auto found = kept_.find(name);
  if (found == kept_.end()) return;
  gone = std::move(found->second);
  kept_.erase(found);
}

void KeptTables::clear() {
  {
    const MutexLock lock(mutex_);
    cleared_ = true;
  }
  forget([](Kept&) { return true; });
}

std::shared_ptr<TableRows> held(std::shared_ptr<TableRows> rows, std::vector<std::shared_ptr<KeptTable>> tables) {
  return std::make_shared<HeldRows>(std::move(rows), std::move(tables));
}

}  // namespace millrace::inline server
