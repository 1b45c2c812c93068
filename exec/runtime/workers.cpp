#include "exec/runtime/workers.h"

namespace millrace::inline exec {

Result<int> Workers::open(const std::string& clusters) {
  if (const auto known = find(clusters)) return *known;
  const MutexLock making(making_);
  if (const auto known = find(clusters)) return *known;
  if (closed_) return unavailable_error("this process is stopping");
  const int number = static_cast<int>(groups().size());
  auto group = std::make_unique<Group>(Group{clusters, {}});
  for (int lane = 0; lane < lanes_; ++lane) {
    auto worker = make_(clusters, lane, index_of(number, lane));
    if (!worker) return worker.error();
    group->workers.push_back(std::move(*worker));
  }
  const MutexLock lock(mutex_);
  groups_.push_back(std::move(group));
  return number;
}

std::optional<int> Workers::find(const std::string& clusters) const {
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (groups_[i]->clusters == clusters) return static_cast<int>(i);
  return std::nullopt;
}

std::vector<const Workers::Group*> Workers::groups() const {
  const MutexLock lock(mutex_);
  std::vector<const Group*> groups;
  for (const auto& group : groups_) groups.push_back(group.get());
  return groups;
}

Worker& Workers::at(int index) const {
  const MutexLock lock(mutex_);
  return *groups_.at(static_cast<std::size_t>(index / lanes_))->workers.at(static_cast<std::size_t>(index % lanes_));
}

std::vector<Worker*> Workers::all() const {
  std::vector<Worker*> workers;
  for (const Group* group : groups())
    for (const auto& worker : group->workers) workers.push_back(worker.get());
  return workers;
}

std::vector<Worker*> Workers::of(int group) const {
  std::vector<Worker*> workers;
  for (int lane = 0; lane < lanes_; ++lane) workers.push_back(&at(index_of(group, lane)));
  return workers;
}

void Workers::close() {
  const MutexLock making(making_);
  closed_ = true;
}

void Workers::clear() {
  const MutexLock lock(mutex_);
  groups_.clear();
}

}  // namespace millrace::inline exec
