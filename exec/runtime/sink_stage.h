#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "exec/formats/format.h"
#include "exec/log/log.h"
#include "exec/runtime/timestamp_stage.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Rows left out by a sink: message and how many.
using SinkReport = std::function<void(const std::string& message, std::uint64_t count)>;

/// Writes the rows that reach a SinkNode: encodes them, picks partitions, appends. One per task.
class SinkStage {
 public:
  /// `sink` is a SinkNode and must outlive the stage.
  SinkStage(const PlanNode& sink, const QueryOptions& options, std::int32_t task_partition, SinkReport report);

  /// Appends to the open transaction of `writer`. Rows written are counted in `rows_out`.
  Status write(const Batch& batch, Writer& writer, std::uint64_t& rows_out);

  /// Tells those who read the topic how far time has come (LeastTime), if it carries that.
  Status write_time(std::int64_t time, Writer& writer);

  /// Tells them the time of the newest row of this transaction, if they live by that.
  Status write_newest(Writer& writer);
  /// Nothing of this transaction was written.
  void roll_back() { newest_ = INT64_MIN; }

  const std::string& topic() const { return sink_.topic; }
  /// Something was written since the last begin_commit().
  bool wrote() const { return wrote_; }
  /// What was written so far is in the transaction that ends now.
  void begin_commit() {
    committing_ = std::exchange(written_, std::vector<bool>(written_.size()));
    wrote_ = false;
  }
  /// That transaction has something for this partition.
  bool wrote_to(std::int32_t partition) const {
    return static_cast<std::size_t>(partition) < committing_.size() && committing_[static_cast<std::size_t>(partition)];
  }

 private:
  Status find_unfit(const Batch& batch, Bitmap& skip);
  Status append_all(const Batch& batch, TopicHandle topic, std::int32_t partitions, Writer& writer,
                    std::uint64_t& rows_out);
  Status encode(const Batch& batch);
  Status append_row(const Batch& batch, std::size_t row, std::int64_t time, TopicHandle topic, std::int32_t partitions,
                    Writer& writer);
  std::optional<std::string_view> key_of(const Batch& batch, std::size_t row, std::int32_t partitions,
                                         std::int32_t& partition);
  std::optional<std::string_view> value_of(const Batch& batch, std::size_t row);

  const SinkNode& sink_;
  const bool internal_;  // a topic between subtopologies, which carries row kinds too
  const bool table_;     // rows without a key stay in one partition, so that they keep their order
  const std::int32_t task_partition_;
  const SinkReport report_;
  std::size_t key_count_;
  bool no_values_ = false;
  bool null_is_absent_ = false;  // of the one value column
  std::optional<WindowInfo> window_;
  std::unique_ptr<Encoder> key_encoder_, value_encoder_;
  std::optional<TimestampStage> timestamp_;
  std::vector<std::int64_t> times_;  // of the batch being written, where a column decides
  std::vector<ColumnPtr> key_columns_;
  Encoded keys_, values_;
  std::string key_scratch_, value_scratch_;
  std::vector<HeaderView> header_scratch_;
  std::uint32_t spread_ = 0;
  std::vector<bool> written_, committing_;  // by partition
  bool wrote_ = false;
  std::int64_t newest_ = INT64_MIN;  // of the rows of this transaction, where it matters
};

}  // namespace millrace::inline exec
