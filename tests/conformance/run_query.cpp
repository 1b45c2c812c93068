#include "tests/conformance/run_query.h"

#include "cli/testing/wire.h"
#include "exec/log/local/memory.h"
#include "tests/harness/bed.h"
#include "tests/harness/checked.h"

namespace millrace::conformance {
namespace {

using harness::checked;

/// One query on a log of its own. Every topic has one partition, as the harness feeds it.
class Stage {
 public:
  Stage(const Session& session, const PersistentQuery& query, const RunOptions& options)
      : query_(query), bed_(harness::TestLog(make_memory_log()), engine_options(session, options)) {
    for (const auto& topic : query.source_topics) checked(bed_.log.declare(topic));
    checked(bed_.log.declare(query.sink_topic));
    PhysicalPlan plan = *query.plan;
    for (auto& topic : plan.topics) topic.partitions = 1;
    bed_.start(plan);
  }

  void push(const std::string& topic, const StoredRecord& record, std::vector<StoredRecord>& emitted) {
    checked(bed_.log.append(topic, record));
    bed_.settle();
    if (const auto status = bed_.engine->status(query_.plan->query_id); status && status->state == QueryState::error)
      throw harness::Failure(status->error);
    for (StoredRecord& out : checked(bed_.log.take(query_.sink_topic))) emitted.push_back(std::move(out));
  }

 private:
  static EngineOptions engine_options(const Session& session, const RunOptions& options) {
    EngineOptions engine;
    engine.service_id = std::string(harness::kServiceId);
    engine.process_id = "conformance";
    engine.workers = 0;
    engine.batch_rows = options.batch_rows;
    engine.schemas = session.schemas();
    return engine;
  }

  const PersistentQuery& query_;
  harness::Bed bed_;
};

StoredRecord encode(Session& session, const RecordSpec& spec) {
  const SourcePtr source = session.source_on(spec.topic);
  if (!source) throw std::runtime_error("no source reads topic " + spec.topic);
  return encode_record(spec, *source, &session.registry());
}

}  // namespace

void run_query(Session& session, const Case& test, const PersistentQuery& query, const RunOptions& options) {
  if (!query.plan) return;
  Stage stage(session, query, options);
  std::set<std::string> fed;
  for (const auto& input : test.inputs) fed.insert(input.topic);

  auto& lists = session.records();
  std::vector<StoredRecord> emitted;
  for (const auto& input : test.inputs)
    if (query.source_topics.contains(input.topic)) stage.push(input.topic, encode(session, input), emitted);
  for (const auto& topic : query.source_topics) {
    if (fed.contains(topic)) continue;
    const std::vector<StoredRecord> snapshot = lists[topic];
    for (const auto& record : snapshot) stage.push(topic, record, emitted);
  }
  auto& sink = lists[query.sink_topic];
  sink.insert(sink.end(), std::make_move_iterator(emitted.begin()), std::make_move_iterator(emitted.end()));
}

}  // namespace millrace::conformance
