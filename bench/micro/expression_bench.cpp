#include <benchmark/benchmark.h>

#include <numeric>

#include "exec/expr/evaluator.h"
#include "exec/functions/aggregate.h"
#include "exec/functions/builtin.h"

/// The expressions and aggregates of the workloads w1, w2 and w3, per row.
namespace millrace {
namespace {

Batch bids() {
  Batch batch;
  batch.rows = kMaxBatchRows;
  for (int c = 0; c < 2; ++c) {
    auto column = make_column(Type::bigint(), batch.rows);
    for (std::size_t i = 0; i < batch.rows; ++i)
      column->values_mut<std::int64_t>()[i] = static_cast<std::int64_t>(i * 7919 % 100'000);
    batch.columns.push_back(std::move(column));
  }
  batch.timestamps = std::make_shared<const std::vector<std::int64_t>>(batch.rows, 0);
  return batch;
}

template <class N>
ExprPtr expr(Type type, N node) {
  auto made = std::make_shared<Expr>();
  made->type = std::move(type);
  made->node = std::move(node);
  return made;
}
ExprPtr column(std::size_t index) {
  return expr(Type::bigint(), ColumnExpr{index});
}
ExprPtr bigint(std::int64_t value) {
  return expr(Type::bigint(), LiteralExpr{value});
}

void project_price(benchmark::State& state) {
  const Batch batch = bids();
  Evaluator price(
      expr(Type::double_(), ArithmeticExpr{ArithmeticOp::multiply, expr(Type::double_(), CastExpr{column(0)}),
                                           expr(Type::double_(), LiteralExpr{0.908})}));
  RowErrors errors;
  for (auto _ : state) benchmark::DoNotOptimize(price.evaluate(batch, errors));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch.rows));
}
BENCHMARK(project_price);

void filter_auction(benchmark::State& state) {
  const Batch batch = bids();
  const auto rest = expr(Type::bigint(), ArithmeticExpr{ArithmeticOp::modulo, column(0), bigint(123)});
  Evaluator predicate(expr(Type::boolean(), CompareExpr{CompareOp::equal, rest, bigint(0)}));
  RowErrors errors;
  std::vector<std::uint32_t> selected;
  for (auto _ : state) {
    predicate.select(batch, errors, selected);
    benchmark::DoNotOptimize(selected.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch.rows));
}
BENCHMARK(filter_auction);

std::unique_ptr<Aggregate> aggregate(const char* name, std::size_t variant, bool argument) {
  AggregateCall call;
  call.function = builtin_functions().find(name);
  call.variant = variant;
  if (argument) call.arguments.push_back(column(0));
  call.column.type = Type::bigint();
  return make_aggregate(call);
}

/// COUNT(*), SUM(price), MAX(price) into 100,000 states.
void count_sum_max(benchmark::State& state) {
  const Batch batch = bids();
  std::vector<std::unique_ptr<Aggregate>> all;
  all.push_back(aggregate("COUNT", 0, false));
  all.push_back(aggregate("SUM", 2, true));
  all.push_back(aggregate("MAX", 1, true));
  const AggregateRow layout = lay_out(all);
  constexpr std::size_t kStates = 100'000;
  std::vector<std::byte> memory(kStates * layout.size + 16);
  for (std::size_t s = 0; s < kStates; ++s)
    for (std::size_t a = 0; a < all.size(); ++a) all[a]->init(memory.data() + s * layout.size + layout.offsets[a]);
  std::vector<std::byte*> states(batch.rows);
  for (std::size_t i = 0; i < batch.rows; ++i)
    states[i] = memory.data() + static_cast<std::size_t>(batch.columns[0]->values<std::int64_t>()[i]) * layout.size;
  std::vector<std::uint32_t> rows(batch.rows);
  std::iota(rows.begin(), rows.end(), 0U);
  const std::vector<ColumnPtr> none;
  const std::vector<ColumnPtr> price{batch.columns[1]};
  for (auto _ : state)
    for (std::size_t a = 0; a < all.size(); ++a)
      benchmark::DoNotOptimize(all[a]->update(states, layout.offsets[a], a == 0 ? none : price, rows));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch.rows));
}
BENCHMARK(count_sum_max);

}  // namespace
}  // namespace millrace
