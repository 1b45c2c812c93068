#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/record_error.h"
#include "exec/data/result.h"
#include "exec/formats/format.h"
#include "exec/log/log.h"
#include "exec/runtime/timestamp_stage.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// A record that was left out: for the processing log.
struct BadRecord {
  RecordErrorKind kind;
  std::string_view message;
  std::int64_t offset;
};
using BadRecordHandler = std::function<void(const BadRecord&)>;

class SharedDecoder;
class SharedDecoders;

/// What a reader brought, for all inputs that take it, with what was decoded of it for several of them. Of one thread.
struct Arrival {
  Fetch fetch;
  Clock::time_point read{};  // when it was brought; what it holds was committed before
  std::size_t takers = 0;
  struct Decoded {
    std::uint64_t version;  // of the decoder that made it
    std::size_t from, count;
    std::shared_ptr<const Batch> rows;  // null: not for all of them
  };
  mutable std::vector<Decoded> decoded = {};
};

/// What a worker lends its sources; outlives them.
struct SourceSetup {
  SchemaCache* schemas = nullptr;      // null: no schema registry
  SharedDecoders* decoders = nullptr;  // null: every source decodes for itself
};

/// Turns fetched records into rows of one SourceNode. One per leaf of a task; keeps scratch space.
class SourceStage {
 public:
  /// `source` is a SourceNode and must outlive the stage.
  SourceStage(const PlanNode& source, const QueryOptions& options, std::int32_t partition, const SourceSetup& setup,
              BadRecordHandler on_bad);
  ~SourceStage();
  SourceStage(const SourceStage&) = delete;
  SourceStage& operator=(const SourceStage&) = delete;

  /// False: a schema that these records name is still being fetched; decode them later.
  bool ready(const Fetch& fetch, std::size_t from, std::size_t count);

  /// Rows of fetch.records[from, from + count), in order, with their offsets; fewer when records are skipped. Views
  /// point into the fetch, which the batch's columns keep. Fails where the query's options make a bad record fatal.
  Result<Batch> decode(const Fetch& fetch, std::size_t from, std::size_t count);
  /// The same, with what other tasks of the worker have decoded already.
  Result<Batch> decode(const Arrival& arrival, std::size_t from, std::size_t count);
  bool is_table() const { return table_; }
  bool has_window() const { return plan_.window.has_value(); }

 private:
  struct ColumnSource {
    enum class Part { key, value, header } part;
    std::size_t index;
  };
  void plan_columns();
  Batch own_part(const Batch& all);
  void split(const RecordView& record, std::size_t row, std::size_t rows, Batch& batch);
  std::string_view split_window(std::string_view key, std::size_t row, std::size_t rows);
  Status decode_columns(const Fetch& fetch, std::span<const RecordView> records, Batch& batch);
  Status apply_timestamps(Batch& batch);
  void check_times(std::size_t rows);
  Status report(std::span<const RecordView> records, RecordErrorKind kind);
  ColumnPtr header_column(const ColumnDef& column, std::span<const RecordView> records) const;
  Batch without_skipped(Batch&& batch);

  const PlanNode& plan_;
  const SourceNode& source_;
  const QueryOptions options_;
  const std::int32_t partition_;
  const SourceSetup setup_;
  const BadRecordHandler on_bad_;
  bool table_;
  std::unique_ptr<Decoder> key_decoder_, value_decoder_;
  std::vector<ColumnSource> columns_;  // of the output, in order
  std::optional<ColumnSource> timestamp_column_;
  std::optional<TimestampStage> timestamp_;
  std::shared_ptr<SharedDecoder> shared_;  // null: nothing to share
  std::uint64_t shared_version_ = 0;
  std::vector<std::size_t> shared_columns_;  // of its batches, for each of ours

  // Of the batch in the making.
  std::vector<std::optional<std::string_view>> keys_, values_;
  std::vector<ColumnPtr> key_columns_, value_columns_;
  Bitmap skip_;
  RowErrors errors_;
  std::shared_ptr<std::vector<std::int64_t>> times_, window_start_, window_end_, offsets_;
};

}  // namespace millrace::inline exec
