#include "tests/unit/exec_runtime/harness.h"

#include <algorithm>

#include "exec/expr/evaluator.h"
#include "exec/formats/format.h"
#include "exec/log/embedded/open.h"
#include "exec/log/local/memory.h"
#include "planner/query/plan_query.h"

namespace millrace::runtime_test {

Bench::Bench(Options the_options) : options(the_options) {
  static int count = 0;
  directory = std::filesystem::temp_directory_path() /
              ("millrace-runtime-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  if (!options.directory.empty()) directory = options.directory;
  log = options.shared;
  if (log != nullptr) {
  } else if (options.embedded) {
    EmbeddedOptions embedded;
    embedded.directory = directory / "log";
    std::filesystem::create_directories(directory);
    auto opened = open_embedded_log(embedded);
    if (!opened) throw std::runtime_error(opened.error().message);
    own_log = std::move(*opened);
  } else {
    own_log = make_memory_log();
  }
  if (own_log) log = own_log.get();
  open();
}

Bench::~Bench() {
  engine.reset();
  own_log.reset();
  if (options.directory.empty()) std::filesystem::remove_all(directory);
}

void Bench::open() {
  EngineOptions engine_options;
  engine_options.service_id = options.service;
  engine_options.process_id = options.process;
  engine_options.advertised = options.process + ":8088";
  engine_options.state_memory_bytes = options.state_memory_bytes;
  engine_options.transient_memory_bytes = options.transient_memory_bytes;
  engine_options.commit_interval = options.commit_interval;
  engine_options.keep_state_elsewhere = options.keep_state_elsewhere;
  engine_options.slots = 8;
  engine_options.workers = options.workers;
  engine_options.batch_rows = options.batch_rows;
  if (options.state) {
    engine_options.state_directory = directory / "state";
    std::filesystem::create_directories(directory);
  }
  EngineEvents events;
  events.on_record_error = [this](const ProcessingError& error) {
    const std::lock_guard lock(mutex_);
    errors.push_back(error);
  };
  auto started = Engine::start(*log, engine_options, events);
  if (!started) throw std::runtime_error(started.error().message);
  engine = std::move(*started);
  std::vector<Engine::Start> starts;
  for (const auto& plan : plans_) starts.push_back({plan});
  const auto done = engine->start_queries(starts);
  ASSERT_TRUE(done) << done.error().message;
}

void Bench::create(const std::string& topic, int partitions) {
  TopicConfig config;
  config.partitions = partitions;
  ASSERT_TRUE(log->create_topic(topic, config));
}

void Bench::feed(const std::string& topic, std::optional<std::string> key, std::optional<std::string> value,
                 std::int64_t timestamp, int partition) {
  if (partition < 0) {
    const auto found = log->describe_topic(topic);
    ASSERT_TRUE(found && *found);
    partition = key ? partition_for(*key, (*found)->config.partitions) : 0;
  }
  ASSERT_TRUE(log->append_now({topic, partition}, key, value, timestamp));
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

void Bench::start(const PhysicalPlan& plan) {
  const auto prepared = engine->prepare(plan);
  ASSERT_TRUE(prepared) << prepared.error().message;
  join(plan);
}

void Bench::start_together(const std::vector<PhysicalPlan>& plans) {
  std::vector<const PhysicalPlan*> all;
  for (const PhysicalPlan& plan : plans) all.push_back(&plan);
  const auto prepared = engine->prepare(all);
  ASSERT_TRUE(prepared) << prepared.error().message;
  std::vector<Engine::Start> starts;
  for (const PhysicalPlan& plan : plans) starts.push_back({std::make_shared<const PhysicalPlan>(plan)});
  for (const Engine::Start& start : starts) plans_.push_back(start.plan);
  const auto started = engine->start_queries(starts);
  ASSERT_TRUE(started) << started.error().message;
}

void Bench::join(const PhysicalPlan& plan) {
  plans_.push_back(std::make_shared<const PhysicalPlan>(plan));
  const auto started = engine->start_query(plans_.back());
  ASSERT_TRUE(started) << started.error().message;
}

void Bench::settle() {
  ASSERT_TRUE(engine->wait_until_idle(std::chrono::seconds{20}));
}

void Bench::crash() {
  engine->kill();
  engine.reset();
  open();
}

void Bench::restart() {
  engine.reset();
  open();
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
