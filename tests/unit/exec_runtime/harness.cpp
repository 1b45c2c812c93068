#include "tests/unit/exec_runtime/harness.h"

#include <algorithm>

#include "exec/expr/evaluator.h"
#include "exec/formats/format.h"
#include "exec/log/embedded/open.h"
#include "exec/log/local/memory.h"
#include "planner/query/plan_query.h"
#include "tests/harness/checked.h"

namespace millrace::runtime_test {

namespace {

std::filesystem::path fresh_directory() {
  static int count = 0;
  return std::filesystem::temp_directory_path() /
         ("millrace-runtime-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
}

harness::TestLog open_log(const Bench::Options& options, const std::filesystem::path& directory) {
  if (options.shared != nullptr) return harness::TestLog(*options.shared);
  if (!options.embedded) return harness::TestLog(make_memory_log());
  std::filesystem::create_directories(directory);
  return harness::TestLog(harness::checked(open_embedded_log({.directory = directory / "log"})));
}

EngineOptions engine_options(const Bench::Options& options, const std::filesystem::path& directory) {
  EngineOptions engine;
  engine.service_id = options.service;
  engine.process_id = options.process;
  engine.advertised = options.process + ":8088";
  engine.state_memory_bytes = options.state_memory_bytes;
  engine.transient_memory_bytes = options.transient_memory_bytes;
  engine.commit_interval = options.commit_interval;
  engine.keep_state_elsewhere = options.keep_state_elsewhere;
  engine.slots = 8;
  engine.workers = options.workers;
  engine.batch_rows = options.batch_rows;
  if (!options.state) return engine;
  std::filesystem::create_directories(directory);
  engine.state_directory = directory / "state";
  return engine;
}

}  // namespace

Bench::Bench(const Options& the_options)
    : Bench(the_options,
            the_options.directory.empty() ? fresh_directory() : std::filesystem::path(the_options.directory)) {}

Bench::Bench(const Options& the_options, std::filesystem::path the_directory)
    : Bed(open_log(the_options, the_directory), engine_options(the_options, the_directory)),
      options(the_options),
      directory(std::move(the_directory)) {}

Bench::~Bench() {
  engine.reset();
  log = harness::TestLog(std::unique_ptr<Log>());
  if (options.directory.empty()) std::filesystem::remove_all(directory);
}

void Bench::create(const std::string& topic, int partitions) {
  ASSERT_TRUE(log->create_topic(topic, {.partitions = partitions}));
}

void Bench::feed(const std::string& topic, std::optional<std::string> key, std::optional<std::string> value,
                 std::int64_t timestamp, int partition) {
  if (partition < 0) {
    const auto found = log->describe_topic(topic);
    ASSERT_TRUE(found && *found);
    partition = key ? partition_for(*key, (*found)->config.partitions) : 0;
  }
  ASSERT_TRUE(log->append_now({topic, partition}, key, value, RecordTime{timestamp}));
}

std::vector<Row> Bench::read(const std::string& topic) {
  std::vector<Row> rows;
  const auto found = log->describe_topic(topic);
  if (!found || !*found) return rows;
  for (int partition = 0; partition < (*found)->config.partitions; ++partition) {
    const auto bounds = log->bounds({topic, partition});
    auto reader = log->reader("test");
    if (!(*reader)->add({topic, partition}, bounds->begin)) return rows;
    for (std::int64_t at = bounds->begin; at < bounds->end;) {
      auto fetch = (*reader)->poll(100, std::chrono::seconds{5});
      if (!fetch || !*fetch) break;
      for (const RecordView& record : (*fetch)->records)
        rows.push_back(
            {std::string(record.key.value_or("null")), std::string(record.value.value_or("null")), record.timestamp});
      at = (*fetch)->next_offset;
    }
  }
  return rows;
}

std::vector<Row> Bench::sorted(const std::string& topic) {
  auto rows = read(topic);
  std::sort(rows.begin(), rows.end());
  return rows;
}

NodePtr source(const std::string& topic, RelationKind kind) {
  SourceNode node;
  node.name = topic;
  node.topic = topic;
  node.declared.columns = {{"K", Type::string(), ColumnRole::key, {}},
                           {"V", Type::bigint(), ColumnRole::value, {}},
                           {"S", Type::string(), ColumnRole::value, {}}};
  node.read = {0, 1, 2};
  node.key_format.name = "KAFKA";
  node.value_format.name = "JSON";
  return make_source(node, kind, std::nullopt);
}

NodePtr filter_greater(NodePtr input, std::size_t column, std::int64_t bound) {
  auto compare = std::make_shared<Expr>();
  compare->type = Type::boolean();
  compare->node = CompareExpr{CompareOp::greater, make_column(column, Type::bigint(), "V"),
                              make_literal(Value(bound), Type::bigint())};
  return make_node(FilterNode{std::move(input), compare, false});
}

NodePtr sink(NodePtr input, const std::string& topic) {
  SinkNode node;
  node.input = std::move(input);
  node.name = topic;
  node.topic = topic;
  node.key_format.name = "KAFKA";
  node.value_format.name = "JSON";
  return make_node(node);
}

PhysicalPlan physical(NodePtr root, const std::string& query_id, bool every_change, bool transient) {
  QueryOptions options;
  options.emit_every_change = every_change;
  options.from_earliest = true;
  return *plan_query(root, options,
                     {.physical = {.service_id = "default_", .query_id = query_id, .transient = transient},
                      .evaluate = evaluate_constant,
                      .rules_off = {}});
}

}  // namespace millrace::runtime_test
