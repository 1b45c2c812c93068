#include "tests/conformance/run_query.h"

#include <memory>

#include "cli/testing/log_records.h"
#include "cli/testing/wire.h"
#include "exec/log/local/memory.h"
#include "tests/harness/running.h"

namespace millrace::conformance {
namespace {

template <class T>
T checked(Result<T> result) {
  if (!result) throw QueryFailure(result.error().message);
  return std::move(*result);
}
void checked(const Status& status) {
  if (!status) throw QueryFailure(status.error().message);
}

/// One query on a memory log of its own. Every topic has one partition, as the harness feeds it.
class Stage {
 public:
  Stage(const Session& session, const PersistentQuery& query, const RunOptions& options)
      : query_(query), log_(make_memory_log()) {
    for (const auto& topic : query.source_topics) create(topic);
    create(query.sink_topic);
    EngineOptions engine;
    engine.process_id = "conformance";
    engine.workers = 0;
    engine.batch_rows = options.batch_rows;
    engine_ = harness::start_engine(*log_, session, engine);
    auto plan = std::make_shared<PhysicalPlan>(*query.plan);
    for (auto& topic : plan->topics) topic.partitions = 1;
    checked(engine_->prepare(*plan));
    checked(engine_->start_query(plan));
    reader_ = checked(harness::open_reader(*log_, query.sink_topic, 1));
  }

  void push(const std::string& topic, const StoredRecord& record, std::vector<StoredRecord>& emitted) {
    checked(harness::append(*log_, {topic, 0}, record));
    checked(engine_->run_until_idle());
    if (const auto status = engine_->status(query_.plan->query_id); status && status->state == QueryState::error)
      throw QueryFailure(status->error);
    for (StoredRecord& out : checked(harness::drain(*reader_))) emitted.push_back(std::move(out));
  }

 private:
  void create(const std::string& topic) {
    if (!checked(log_->describe_topic(topic))) checked(log_->create_topic(topic, TopicConfig{}));
  }

  const PersistentQuery& query_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Reader> reader_;
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
