#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "exec/operators/operator.h"
#include "exec/operators/predicate_index.h"
#include "exec/runtime/shared_decoder.h"
#include "exec/runtime/sink_stage.h"
#include "exec/runtime/source_stage.h"
#include "exec/state/store.h"
#include "tests/harness/session.h"

namespace millrace::allocations {

/// Records as a reader would bring them: one for each of `keys` and `values`, in order.
Fetch make_fetch(std::vector<std::string> keys, std::vector<std::string> values, std::int64_t timestamp);

/// One subtopology from its records to the appends of its results, stepped like a task but without its threads: decode,
/// operators with stores in memory, encode, append to a memory log.
class Line final : public TaskContext, public Emitter {
 public:
  /// What lines share, as tasks of one worker do.
  struct Shared {
    SharedDecoders decoders{nullptr};
    PredicateIndexes predicates;
  };
  Line(Log& log, const PhysicalPlan& plan, std::size_t subtopology, Shared* shared = nullptr);
  ~Line() override;

  /// Gives the records to the leaf that reads `topic`.
  void feed(const std::string& topic, const Fetch& fetch);
  void feed(const std::string& topic, const Arrival& arrival);
  /// The end of a transaction: what operators held back, and changelogs. Only with `keep` it stays in the log.
  void commit(bool keep = false);
  std::uint64_t rows_out() const { return rows_out_; }

  StoreSlot store(const std::string& name) override;
  void report(std::string_view step, RecordErrorKind kind, const RowErrors& errors, const Batch& in) override;
  void late_rows(std::string_view, std::uint64_t) override {}
  OperatorCounters* counters(const std::string&) override { return &counters_; }
  const QueryOptions& options() const override { return plan_.options; }
  PredicateIndexes* predicates() override { return shared_ == nullptr ? nullptr : &shared_->predicates; }
  Status batch(Batch&& batch) override;

 private:
  struct Changelog;
  template <class Records>
  void feed(const std::string& topic, const Records& records, std::size_t count);

  Shared* const shared_;
  const PhysicalPlan& plan_;
  const Subtopology& subtopology_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<std::unique_ptr<SourceStage>> sources_;  // of the leaves
  std::unique_ptr<SinkStage> sink_;
  std::vector<std::pair<std::string, std::unique_ptr<Store>>> stores_;  // with the topic of their changelog
  OperatorCounters counters_;
  std::uint64_t rows_out_ = 0;
};

}  // namespace millrace::allocations
