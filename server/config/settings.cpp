#include "server/config/config.h"

namespace millrace {
namespace {

constexpr auto kText = SettingType::text;
constexpr auto kInteger = SettingType::integer;
constexpr auto kBoolean = SettingType::boolean;
constexpr auto kQuery = SettingScope::query;
constexpr auto kServer = SettingScope::server;

std::vector<Setting> make_settings() {
  return {
      {"auto.offset.reset", kText, kQuery, "latest", "Where a new query begins to read streams; tables are always read from the start.", {}, {}, {"latest", "earliest"}},
      {"cache.max.bytes.buffering", kInteger, kQuery, "10000000", "0 writes every change of a table; anything else one change per key and commit.", 0, {}, {}},
      {"statestore.cache.max.bytes", kInteger, kQuery, "10000000", "Same as cache.max.bytes.buffering.", 0, {}, {}},
      {"commit.interval.ms", kInteger, kQuery, "2000", "Longest time between two commits of a busy worker, in milliseconds.", 1, 600000, {}},
      {"processing.guarantee", kText, kQuery, "exactly_once_v2", "Always exactly once; the weaker name is accepted and changes nothing.", {}, {}, {"exactly_once_v2", "exactly_once", "at_least_once"}},
      {"max.task.idle.ms", kInteger, kQuery, "0", "Accepted; a task always waits for inputs that the log has committed records for.", {}, {}, {}},
      {"buffered.records.per.partition", kInteger, kQuery, "1000", "Accepted; batches have a fixed size.", {}, {}, {}},
      {"num.standby.replicas", kInteger, kServer, "0", "Warm copies of state on other processes.", 0, 8, {}},
      {"num.stream.threads", kInteger, kServer, "", "Worker threads; by default one per core.", 1, 256, {}},
      {"task.timeout.ms", kInteger, kQuery, "300000", "How long a task retries before its query is in error.", 0, {}, {}},
      {"ksql.fail.on.deserialization.error", kBoolean, kQuery, "false", "Stop the query at a record that cannot be decoded instead of skipping it.", {}, {}, {}},
      {"ksql.fail.on.production.error", kBoolean, kQuery, "true", "Stop the query when a record cannot be written.", {}, {}, {}},
      {"ksql.timestamp.throw.on.invalid", kBoolean, kQuery, "false", "Stop the query at a record without a valid timestamp instead of skipping it.", {}, {}, {}},
      {"ksql.cast.strings.preserve.nulls", kBoolean, kQuery, "true", "CAST(NULL AS STRING) is NULL, not the text null.", {}, {}, {}},
      {"ksql.nested.error.set.null", kBoolean, kQuery, "true", "Access inside NULL gives NULL.", {}, {}, {}},
      {"ksql.query.retry.backoff.initial.ms", kInteger, kServer, "15000", "First pause before a failed query starts again.", 0, {}, {}},
      {"ksql.query.retry.backoff.max.ms", kInteger, kQuery, "900000", "Longest pause before a failed query starts again.", 0, {}, {}},
      {"ksql.query.error.max.queue.size", kInteger, kServer, "10", "Errors kept per query.", 1, {}, {}},
      {"ksql.query.persistent.active.limit", kInteger, kServer, "2147483647", "Most persistent queries at a time.", 0, {}, {}},
      {"ksql.service.id", kText, kServer, "default_", "Names the service: its internal topics and its consumer group.", {}, {}, {}},
      {"ksql.persistent.prefix", kText, kServer, "query_", "Part of the names of internal topics.", {}, {}, {}},
      {"ksql.transient.prefix", kText, kServer, "transient_", "Part of the ids of push queries.", {}, {}, {}},
      {"ksql.output.topic.name.prefix", kText, kQuery, "", "Put before the topic names of CREATE ... AS SELECT.", {}, {}, {}},
      {"ksql.persistence.default.format.key", kText, kQuery, "KAFKA", "Key format where a statement gives none.", {}, {}, {}},
      {"ksql.persistence.default.format.value", kText, kQuery, "", "Value format where a statement gives none.", {}, {}, {}},
      {"ksql.persistence.wrap.single.values", kBoolean, kQuery, "", "Whether values of one column are written inside an object.", {}, {}, {}},
      {"ksql.internal.topic.replicas", kInteger, kServer, "1", "Replicas of internal topics.", 1, 32767, {}},
      {"ksql.create.topic.inherit.source.replicas.enabled", kBoolean, kServer, "false", "New sink topics take the replicas of their source.", {}, {}, {}},
      {"ksql.hidden.topics", kText, kServer,
       "_confluent.*,__confluent.*,_schemas,__consumer_offsets,__transaction_state,connect-configs,connect-offsets,connect-status,connect-statuses",
       "Topics that SHOW TOPICS leaves out; regular expressions.", {}, {}, {}},
      {"ksql.readonly.topics", kText, kServer,
       "_confluent.*,__confluent.*,_schemas,__consumer_offsets,__transaction_state,connect-configs,connect-offsets,connect-status,connect-statuses",
       "Topics that may not be written or deleted; regular expressions.", {}, {}, {}},
      {"ksql.insert.into.values.enabled", kBoolean, kServer, "true", "Allow INSERT ... VALUES.", {}, {}, {}},
      {"ksql.schema.registry.url", kText, kServer, "", "Schema registry.", {}, {}, {}},
      {"ksql.connect.url", kText, kServer, "http://localhost:8083", "Kafka Connect.", {}, {}, {}},
      {"ksql.variable.substitution.enable", kBoolean, kQuery, "true", "Replace ${name} in statements.", {}, {}, {}},
      {"ksql.create.or.replace.enabled", kBoolean, kQuery, "true", "Allow CREATE OR REPLACE.", {}, {}, {}},
      {"ksql.suppress.enabled", kBoolean, kQuery, "true", "Allow EMIT FINAL.", {}, {}, {}},
      {"ksql.suppress.buffer.size.bytes", kInteger, kQuery, "-1", "Accepted; final results are kept in the state store.", {}, {}, {}},
      {"ksql.lambdas.enabled", kBoolean, kQuery, "true", "Allow lambdas.", {}, {}, {}},
      {"ksql.headers.columns.enabled", kBoolean, kQuery, "true", "Allow HEADERS columns.", {}, {}, {}},
      {"ksql.rowpartition.rowoffset.enabled", kBoolean, kQuery, "true", "Allow ROWPARTITION and ROWOFFSET.", {}, {}, {}},
      {"ksql.source.table.materialization.enabled", kBoolean, kServer, "true", "Materialise CREATE SOURCE TABLE.", {}, {}, {}},
      {"ksql.new.query.planner.enabled", kBoolean, kQuery, "false", "A plain SELECT orders key columns as it lists them.", {}, {}, {}},
      {"ksql.assert.topic.default.timeout.ms", kInteger, kQuery, "1000", "How long ASSERT TOPIC waits.", 0, {}, {}},
      {"ksql.assert.schema.default.timeout.ms", kInteger, kQuery, "1000", "How long ASSERT SCHEMA waits.", 0, {}, {}},
      {"ksql.pull.queries.enable", kBoolean, kServer, "true", "Allow pull queries.", {}, {}, {}},
      {"ksql.query.pull.table.scan.enabled", kBoolean, kQuery, "true", "Allow pull queries that read a whole table.", {}, {}, {}},
      {"ksql.query.pull.range.scan.enabled", kBoolean, kQuery, "true", "Allow pull queries over a range of keys.", {}, {}, {}},
      {"ksql.query.pull.stream.enabled", kBoolean, kQuery, "true", "Allow pull queries on streams.", {}, {}, {}},
      {"ksql.query.pull.limit.clause.enabled", kBoolean, kQuery, "true", "Allow LIMIT in pull queries.", {}, {}, {}},
      {"ksql.query.pull.max.allowed.offset.lag", kInteger, kQuery, "9223372036854775807", "Accepted; pull queries read the owner's committed state.", {}, {}, {}},
      {"ksql.query.pull.enable.standby.reads", kBoolean, kQuery, "false", "Accepted; there are no standby reads yet.", {}, {}, {}},
      {"ksql.query.push.v2.enabled", kBoolean, kQuery, "false", "Accepted; every push query runs its own plan.", {}, {}, {}},
      {"ksql.max.push.queries", kInteger, kServer, "100", "Most push queries at a time.", 0, {}, {}},
      {"ksql.functions.substring.legacy.args", kBoolean, kQuery, "false", "Positions of SUBSTRING count from 0.", {}, {}, {}},
      {"ksql.functions.collect_list.limit", kInteger, kQuery, "", "Most values that COLLECT_LIST keeps.", {}, {}, {}},
      {"ksql.functions.collect_set.limit", kInteger, kQuery, "", "Most values that COLLECT_SET keeps.", {}, {}, {}},
      {"ksql.server.command.response.timeout.ms", kInteger, kServer, "5000", "How long a statement waits for the command log.", 0, {}, {}},
      {"ksql.logging.processing.topic.auto.create", kBoolean, kServer, "true", "Create the topic of the processing log.", {}, {}, {}},
      {"ksql.logging.processing.stream.auto.create", kBoolean, kServer, "true", "Create the stream over the processing log.", {}, {}, {}},
      {"ksql.logging.processing.topic.name", kText, kServer, "", "Topic of the processing log; by default <service id>ksql_processing_log.", {}, {}, {}},
      {"ksql.logging.processing.stream.name", kText, kServer, "KSQL_PROCESSING_LOG", "Stream over the processing log.", {}, {}, {}},
      {"ksql.logging.processing.rows.include", kBoolean, kServer, "false", "Put row data into the processing log.", {}, {}, {}},
      {"ksql.properties.overrides.denylist", kText, kServer, "", "Properties that sessions may not set.", {}, {}, {}},
      {"listeners", kText, kServer, "http://0.0.0.0:8088", "Where the HTTP API listens.", {}, {}, {}},
      {"ksql.advertised.listener", kText, kServer, "", "Where other processes reach this one.", {}, {}, {}},
      {"bootstrap.servers", kText, kServer, "", "Kafka; without it the log is embedded.", {}, {}, {}},
      {"query.stream.disconnect.check", kInteger, kServer, "1000", "Pause between keep-alive lines on /query, in milliseconds.", 1, {}, {}},
      {"log.sync", kText, kServer, "on", "Embedded log: sync every commit to disk.", {}, {}, {"on", "off"}},
      {"millrace.slots", kInteger, kServer, "64", "Slots of the service; fixed when it first starts.", 1, 4096, {}},
      {"millrace.state.memory.bytes", kInteger, kServer, "268435456", "Memory for state; the rest lies in RocksDB.", 1 << 20, {}, {}},
      {"millrace.batch.rows", kInteger, kServer, "4096", "Most rows in a batch.", 1, 4096, {}},
      {"millrace.rules.off", kText, kQuery, "", "Optimizer rules to leave out, separated by commas; `all` leaves out every optional one.", {}, {}, {}},
  };
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = make_settings();
  return table;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : settings())
    if (setting.name == name) return &setting;
  return nullptr;
}

}  // namespace millrace
