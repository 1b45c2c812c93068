#include <benchmark/benchmark.h>

#include <filesystem>
#include <random>

#include "exec/functions/builtin.h"
#include "exec/operators/operator.h"
#include "exec/state/state_db.h"

/// The aggregate of workload w3: COUNT, SUM, MAX by key in 10 s windows, nearly every row in a group of its own; per
/// row, commits included.
namespace millrace {
namespace {

constexpr std::size_t kBatches = 64;
constexpr std::size_t kBatchesPerCommit = 64;

struct CountingSink final : ChangelogSink {
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    bytes += key.size() + (value ? value->size() : 0);
    ++records;
    return {};
  }
  std::size_t bytes = 0, records = 0;
};

class Host final : public TaskContext, public Emitter {
 public:
  StoreSlot store(const std::string&) override {
    StoreSlot slot;
    slot.db = db;
    slot.prefix = "bench";
    slot.attach = [this](std::unique_ptr<Store> made) {
      held = std::move(made);
      return held.get();
    };
    return slot;
  }
  void report(std::string_view, RecordErrorKind, const RowErrors&, const Batch&) override {}
  void late_rows(std::string_view, std::uint64_t) override {}
  const QueryOptions& options() const override { return query_options; }
  Status batch(Batch&& batch) override {
    rows += batch.rows;
    return {};
  }
  QueryOptions query_options;
  std::unique_ptr<Store> held;
  StateDb* db = nullptr;
  std::size_t rows = 0;
};

AggregateCall call(const char* name, const ExprPtr& argument) {
  const FunctionDef* function = builtin_functions().find(name);
  for (std::size_t v = 0; v < function->variants.size(); ++v) {
    const auto& parameters = function->variants[v].parameters;
    if (parameters.size() != (argument ? 1u : 0u)) continue;
    if (argument && parameters[0].type.kind == TypePattern::Kind::any_decimal) continue;
    if (argument && parameters[0].type.kind == TypePattern::Kind::concrete &&
        !(parameters[0].type.type == argument->type))
      continue;
    AggregateCall out{function, v, {}, {}, {name, Type::bigint(), ColumnRole::value, {}}};
    if (argument) out.arguments.push_back(argument);
    return out;
  }
  std::abort();
}

NodePtr plan(const Type& key, bool windowed) {
  SourceNode source;
  source.declared.columns = {{"K", key, ColumnRole::key, {}}, {"P", Type::bigint(), ColumnRole::value, {}}};
  source.read = {0, 1};
  const NodePtr input = make_source(source, RelationKind::stream, std::nullopt);
  const ExprPtr price = make_column(1, Type::bigint(), "P");
  AggregateNode node{
      .input = input, .calls = {call("COUNT", nullptr), call("SUM", price), call("MAX", price)}, .window = {}};
  if (windowed) node.window = WindowSpec{WindowType::tumbling, 10'000, 10'000, 86'390'000, 86'400'000};
  return make_node(node);
}

Batch input(const Type& key, std::size_t number, std::mt19937_64& random) {
  Batch out;
  out.rows = kMaxBatchRows;
  auto keys = make_column(key, out.rows), prices = make_column(Type::bigint(), out.rows);
  auto arena = std::make_shared<Arena>();
  auto times = std::make_shared<std::vector<std::int64_t>>();
  for (std::size_t i = 0; i < out.rows; ++i) {
    const auto auction = static_cast<std::int64_t>(random() % 100'000);
    if (key.kind() == TypeKind::string) {
      keys->values_mut<std::string_view>()[i] = arena->copy(std::to_string(auction));
    } else {
      keys->values_mut<std::int64_t>()[i] = auction;
    }
    prices->values_mut<std::int64_t>()[i] = static_cast<std::int64_t>(random() % 10'000);
    times->push_back(static_cast<std::int64_t>((number * kMaxBatchRows + i) / 10));
  }
  keys->keep.push_back(arena);
  out.columns = {keys, prices};
  out.timestamps = times;
  return out;
}

void aggregate(benchmark::State& state, const Type& key, bool windowed) {
  std::mt19937_64 random(7);
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < kBatches; ++i) batches.push_back(input(key, i, random));
  std::int64_t rows = 0;
  for (auto _ : state) {
    Host host;
    Subtopology subtopology;
    subtopology.root = plan(key, windowed);
    StorePlan store;
    store.owner = subtopology.root.get();
    store.role = "groups";
    subtopology.steps.push_back({store.owner, "aggregate.1"});
    subtopology.stores.push_back(store);
    auto pipeline = build_pipeline(subtopology, host, host);
    CountingSink sink;
    for (std::size_t i = 0; i < kBatches; ++i) {
      if (!(*pipeline)->push(0, batches[i])) state.SkipWithError("push failed");
      if ((i + 1) % kBatchesPerCommit != 0) continue;
      if (!(*pipeline)->commit() || !host.held->begin_commit(sink)) state.SkipWithError("commit failed");
      host.held->commit_done(1);
    }
    rows += static_cast<std::int64_t>(kBatches * kMaxBatchRows);
    state.counters["groups"] = static_cast<double>(sink.records);
    state.counters["memory"] = static_cast<double>(host.held->memory_bytes());
    state.PauseTiming();
    pipeline->reset();
    host.held.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(rows);
}

/// State that does not fit: 40 rounds of new windows, spilled at every commit down to a few MB, some rows late into
/// evicted windows.
void w3_spilling(benchmark::State& state) {
  std::mt19937_64 random(7);
  const std::string directory = std::filesystem::temp_directory_path() / "millrace_aggregate_bench";
  for (auto _ : state) {
    std::filesystem::remove_all(directory);
    auto db = StateDb::open({.directory = directory});
    Host host;
    host.db = db->get();
    Subtopology subtopology;
    subtopology.root = plan(Type::bigint(), true);
    StorePlan store;
    store.owner = subtopology.root.get();
    store.role = "groups";
    subtopology.steps.push_back({store.owner, "aggregate.1"});
    subtopology.stores.push_back(store);
    auto pipeline = build_pipeline(subtopology, host, host);
    CountingSink sink;
    std::size_t peak = 0;
    for (std::size_t i = 0; i < 10 * kBatches; ++i) {
      state.PauseTiming();
      const Batch batch = input(Type::bigint(), i, random);
      state.ResumeTiming();
      if (!(*pipeline)->push(0, batch)) state.SkipWithError("push failed");
      if ((i + 1) % kBatchesPerCommit != 0) continue;
      if (!(*pipeline)->commit() || !host.held->begin_commit(sink)) state.SkipWithError("commit failed");
      host.held->commit_done(static_cast<std::int64_t>(i + 1));
      peak = std::max(peak, host.held->memory_bytes());
      if (!host.held->spill(8 << 20)) state.SkipWithError("spill failed");
    }
    state.counters["groups"] = static_cast<double>(sink.records);
    state.counters["peak"] = static_cast<double>(peak);
    state.SetItemsProcessed(static_cast<std::int64_t>(10 * kBatches * kMaxBatchRows));
    pipeline->reset();
    host.held.reset();
  }
  std::filesystem::remove_all(directory);
}

void w3_bigint(benchmark::State& state) {
  aggregate(state, Type::bigint(), true);
}
void w3_string(benchmark::State& state) {
  aggregate(state, Type::string(), true);
}
void w4_bigint(benchmark::State& state) {
  aggregate(state, Type::bigint(), false);
}
BENCHMARK(w3_bigint)->Unit(benchmark::kMillisecond);
BENCHMARK(w3_string)->Unit(benchmark::kMillisecond);
BENCHMARK(w4_bigint)->Unit(benchmark::kMillisecond);
BENCHMARK(w3_spilling)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace millrace
