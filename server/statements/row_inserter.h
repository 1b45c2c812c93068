#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/formats/boxed_encoder.h"
#include "planner/catalog/catalog.h"
#include "planner/types/value.h"
#include "server/statements/insert_writers.h"

namespace millrace::inline server {

/// Encodes rows of one source and appends them to its topic: INSERT VALUES and /inserts-stream. The rows between two
/// flushes are one transaction; a single one needs none. One thread; the log must outlive it.
class RowInserter {
 public:
  /// `partitions`: of the topic. `first_turn`: rows without a key take the partitions in turn, beginning with this one.
  RowInserter(SourcePtr source, int partitions, Log& log, std::shared_ptr<InsertWriters> writers,
              std::uint64_t first_turn);
  ~RowInserter();

  const SourceDef& source() const { return *source_; }
  /// `row`: the key columns, then the value columns. `time` in ms. The row is durable with the next `flush`.
  Status add(std::span<const Value> row, std::int64_t time);
  /// The row of this key goes: a record without a value.
  Status remove(std::span<const Value> key, std::int64_t time);
  /// `seen`: on return whoever reads committed records finds them, as long as the log answers: brokers say that a
  /// transaction is committed a moment before they show what is in it.
  Status flush(bool seen = false);

 private:
  struct Row {
    std::int32_t partition;
    std::optional<std::string> key, value;
    std::int64_t time;
  };
  Status take(Row row);
  Status write(const Row& row);
  Status begin();
  void wait_until_seen(std::span<const Writer::Appended> rows) const;

  const SourcePtr source_;
  BoxedEncoder keys_, values_;
  const std::uint64_t partitions_;
  Log& log_;
  const std::shared_ptr<InsertWriters> writers_;
  std::uint64_t turn_;
  std::optional<Row> single_;       // added, and nothing else since the last flush
  std::unique_ptr<Writer> writer_;  // taken when a second row comes
  TopicHandle topic_{};             // the writer's number for it
  bool writing_ = false;            // the writer has a transaction that is not known to be committed
};

}  // namespace millrace::inline server
