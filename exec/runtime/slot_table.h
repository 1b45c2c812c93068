#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/progress.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// The newest progress records of the slots topic, as far as this process has read them: `refresh` before `find`.
/// Thread-safe.
class SlotTable {
 public:
  /// Creates the topic when it is missing, with the partitions and replicas of `shape`; an existing one decides the
  /// number of slots.
  static Result<std::unique_ptr<SlotTable>> open(Log& log, std::string topic, const TopicConfig& shape);

  const std::string& topic() const { return topic_; }
  int slots() const { return count_; }

  /// Reads these slots' partitions to their end. To be called when slots were granted, and by who looks for records
  /// that others wrote.
  Status refresh(std::span<const SlotId> slots);
  /// Reads on in the partitions of all slots, as far as no transaction is open there: it waits for nobody. Whoever is
  /// granted slots has little left to read then.
  Status follow();
  std::optional<std::string> find(SlotId slot, const std::string& key) const;
  /// The records of all slots that have `text` in them: key and value.
  std::vector<std::pair<std::string, std::string>> find_all(std::string_view text) const;
  /// A refresh that waits gives up, and so do later ones.
  void stop() { stopping_ = true; }

 private:
  struct Slot {
    std::int64_t position = 0;
    std::unordered_map<std::string, std::string> records;
  };
  SlotTable(Log& log, std::string topic, int slots)
      : log_(log), topic_(std::move(topic)), count_(slots), slots_(slots) {}
  Status read(std::span<const SlotId> slots, bool committed);
  Status read_to_end(std::span<const SlotId> slots, bool committed) REQUIRES(reading_);
  Status start_reading(std::span<const SlotId> slots, bool committed, std::vector<ReadHandle>& sources,
                       std::vector<std::int64_t>& ends) REQUIRES(reading_);
  void apply(Slot& slot, const Fetch& fetch);

  Log& log_;
  std::string topic_;
  const int count_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_;
  std::vector<Slot> slots_ GUARDED_BY(mutex_);
  Mutex reading_;                                        // one at a time
  std::unique_ptr<Reader> reader_ GUARDED_BY(reading_);  // null: to be made
};

}  // namespace millrace::inline exec
