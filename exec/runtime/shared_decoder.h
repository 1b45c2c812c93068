#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/source_stage.h"

namespace millrace::inline exec {

class SharedDecoders;

/// Decodes one source for all tasks of a worker that read the same topic in the same way, each record once and the
/// columns of them all. Worker's thread.
class SharedDecoder {
 public:
  /// `source` without name and columns to read; `all` must outlive it.
  SharedDecoder(NodePtr source, SharedDecoders& all);

  bool serves(const PlanNode& source) const { return equal(*source_, source); }
  /// Somebody reads these declared columns from now on, or no longer.
  void add(const std::vector<std::size_t>& read);
  void remove(const std::vector<std::size_t>& read);
  std::size_t members() const { return members_; }

  /// Rows of arrival.fetch.records[from, from + count) with the columns of all members; null: there is something wrong
  /// with one of these records, which may concern some members only, so each looks for itself. Lives as long as
  /// `arrival`.
  const Batch* decode(const Arrival& arrival, std::size_t from, std::size_t count);
  /// Another number when other columns are decoded, and for each decoder of the worker: an arrival outlives decoders.
  std::uint64_t version() const { return version_; }
  /// Where a declared column is in what decode() gives. Precondition: it was added, and decode() has been called since.
  std::size_t position(std::size_t declared) const { return positions_[declared]; }

 private:
  void build();

  const NodePtr source_;
  SharedDecoders& all_;
  std::vector<std::uint32_t> readers_;  // by declared column
  std::vector<std::size_t> positions_;
  std::size_t members_ = 0;
  std::uint64_t version_ = 0;
  bool stale_ = true, bad_ = false;
  NodePtr node_;  // source_ with the columns of all
  std::unique_ptr<SourceStage> stage_;
};

/// Those of one worker.
class SharedDecoders {
 public:
  explicit SharedDecoders(SchemaCache* schemas) : schemas_(schemas) {}
  /// The one for `source` (a SourceNode).
  std::shared_ptr<SharedDecoder> of(const PlanNode& source);
  SchemaCache* schemas() const { return schemas_; }
  std::uint64_t next_version() { return ++versions_; }
  /// Records decoded for the tasks of this worker, each as often as it was.
  std::atomic<std::uint64_t>& rows() { return rows_; }
  std::uint64_t rows() const { return rows_; }

 private:
  SchemaCache* const schemas_;
  std::vector<std::weak_ptr<SharedDecoder>> known_;
  std::uint64_t versions_ = 0;
  std::atomic<std::uint64_t> rows_{0};
};

}  // namespace millrace::inline exec
