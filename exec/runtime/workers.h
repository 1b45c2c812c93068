#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/data/result.h"
#include "exec/runtime/worker.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// The workers of an engine, in groups of as many as there are lanes. The first group runs what concerns the cluster
/// with the progress alone; each combination of other clusters that queries concern has a group of its own, made when
/// the first of them starts: a cluster that is away holds up nobody else. A slot is in the same lane of all. Any
/// thread.
class Workers {
 public:
  /// `clusters`: as other_clusters() has them. `index`: its number, by groups and lanes.
  using Make = std::function<Result<std::unique_ptr<Worker>>(const std::string& clusters, int lane, int index)>;
  Workers(int lanes, Make make) : lanes_(lanes), make_(std::move(make)) {}

  int lanes() const { return lanes_; }
  int index_of(int group, int lane) const { return group * lanes_ + lane; }
  /// The group of these clusters, made where there is none yet: that waits for the log.
  Result<int> open(const std::string& clusters);

  Worker& at(int index) const;
  /// Those of all groups, by index; of one.
  std::vector<Worker*> all() const;
  std::vector<Worker*> of(int group) const;
  struct Group {
    std::string clusters;
    std::vector<std::unique_ptr<Worker>> workers;
  };
  /// Calls `visit` with each group, the first first.
  template <class Visit>
  void each_group(const Visit& visit) const {
    for (const Group* group : groups()) visit(*group);
  }
  /// No group is made from now on. Waits for one that is being made.
  void close();
  void clear();

 private:
  std::vector<const Group*> groups() const;
  std::optional<int> find(const std::string& clusters) const;

  const int lanes_;
  const Make make_;
  Mutex making_;  // one group at a time; taken before mutex_
  bool closed_ GUARDED_BY(making_) = false;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<const Group>> groups_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
