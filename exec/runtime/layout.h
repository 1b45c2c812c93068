#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "planner/physical/plan.h"
#include "planner/physical/sources.h"

namespace millrace::inline exec {

/// A topic that tasks of a subtopology read, once however many leaves read it.
struct LayoutInput {
  std::string topic;
  int partitions = 0;
  bool internal = false;
  bool given = false;  // an internal one that a part of the plan writes: other queries may read it too
  bool table = false;
  int writers = 0;     // of an internal topic that carries times: the tasks that write it
  bool ready = false;  // nothing else of a task is read before what it held when the query was made
};

struct SubtopologyLayout {
  int tasks = 0;
  std::vector<LayoutInput> inputs;  // in declared order, left to right
  std::uint64_t hash = 0;           // of the first input's name, or of that of one that reads the same topic
  /// What every task reads whole, from the start: no part of its progress, and it decides nothing about partitions.
  std::vector<LayoutInput> broadcasts = {};
};

/// How a plan spreads over partitions: known once the source topics are known.
struct QueryLayout {
  std::vector<SubtopologyLayout> subtopologies;
  std::vector<int> topic_partitions;  // of PhysicalPlan::topics, same order
  int slots = 0;

  SlotId slot_of(std::size_t subtopology, int partition) const;
  /// The input of a subtopology that reads the topic; null: none does.
  const LayoutInput* input_of(std::string_view topic) const;
  /// How many subtopologies read a topic of the query.
  int readers_of(std::string_view topic) const;
  /// Up to where all of them have read it. `positions`: of tasks of one partition, by subtopology; of those that do not
  /// read the topic they mean nothing. Absent: some that do are not among them.
  std::optional<std::int64_t> read_by_all(std::string_view topic,
                                          std::span<const std::pair<std::size_t, std::int64_t>> positions) const;
  /// Calls `visit` with every input that is not the query's own topic.
  template <class Visit>
  void each_source(const Visit& visit) const {
    for (const SubtopologyLayout& sub : subtopologies)
      for (const auto* inputs : {&sub.inputs, &sub.broadcasts})
        for (const LayoutInput& input : *inputs)
          if (!input.internal) visit(input);
  }
};

/// How many partitions topics have, each asked for once.
class TopicSizes {
 public:
  explicit TopicSizes(Log& log) : log_(log) {}
  /// Asks for all topics of these plans at once, so that they need not be asked for one by one.
  Status look_up(std::span<const PhysicalPlan* const> plans);
  /// 0: there is no such topic.
  Result<int> partitions(const std::string& topic);

 private:
  Log& log_;
  std::unordered_map<std::string, int> known_;
};

/// Asks how many partitions the sources have. A missing source topic is a user error.
Result<QueryLayout> make_layout(TopicSizes& sizes, const PhysicalPlan& plan, int slots);

/// The same in every process and version.
std::uint64_t stable_hash(std::string_view text);

/// The other clusters whose topics a plan reads or writes, in order, separated by commas; empty: none.
std::string other_clusters(const PhysicalPlan& plan);

}  // namespace millrace::inline exec
