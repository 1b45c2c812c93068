#include <algorithm>
#include <bit>
#include <numeric>

#include "exec/data/equal.h"
#include "exec/functions/declare.h"
#include "exec/functions/families.h"
#include "exec/functions/utf16.h"

namespace millrace::inline exec {
namespace {

/// The elements of a column of lists or maps, flattened: those of rows that are not NULL and not failed.
struct Elements {
  std::vector<std::uint32_t> rows;     // the row that each element belongs to
  std::vector<std::uint32_t> indexes;  // its place in the child columns
  std::vector<ColumnPtr> columns;      // the children, gathered
};

Elements flatten(const Column& lists) {
  Elements all;
  const auto* offsets = lists.data.as<std::uint32_t>();
  for (std::uint32_t row = 0; row < lists.size; ++row) {
    if (lists.is_null(row)) continue;
    for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      all.rows.push_back(row);
      all.indexes.push_back(i);
    }
  }
  for (const auto& child : lists.children) all.columns.push_back(gather(*child, all.indexes));
  return all;
}

/// A column of lists with the NULL rows of `like`; its row i has the elements of `rows` that equal i.
std::shared_ptr<Column> regroup(const Type& type, const Column& like, std::span<const std::uint32_t> rows) {
  auto column = std::make_shared<Column>();
  column->type = type;
  column->size = like.size;
  column->data.resize((like.size + 1) * sizeof(std::uint32_t));
  auto* offsets = column->values_mut<std::uint32_t>();
  std::size_t at = 0;
  offsets[0] = 0;
  for (std::uint32_t row = 0; row < like.size; ++row) {
    while (at < rows.size() && rows[at] == row) ++at;
    offsets[row + 1] = static_cast<std::uint32_t>(at);
    if (like.is_null(row)) column->nulls.set(row, like.size);
  }
  return column;
}

class TransformKernel final : public ScalarKernel {
 public:
  explicit TransformKernel(Type type) : type_(std::move(type)) {}
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody> lambdas) override {
    const ColumnPtr in = spread(arguments[0], frame.rows());
    const Elements elements = flatten(*in);
    auto column = regroup(type_, *in, elements.rows);
    for (LambdaBody& lambda : lambdas) {
      const ColumnPtr child = lambda.apply(frame, elements.rows, elements.columns);
      column->children.push_back(std::const_pointer_cast<Column>(child));  // immutable again as a child
    }
    if (lambdas.size() == 2) check_map(frame, *column, elements.rows);
    return column;
  }

 private:
  /// New keys must differ and new values must not be NULL.
  static void check_map(Frame& frame, const Column& map, std::span<const std::uint32_t> rows) {
    const auto* offsets = map.data.as<std::uint32_t>();
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      if (map.children[1]->is_null(i)) frame.fail(rows[i], "TRANSFORM gave a NULL value");
      for (std::uint32_t other = offsets[rows[i]]; other < i; ++other)
        if (equal_values(*map.children[0], other, *map.children[0], i))
          frame.fail(rows[i], "TRANSFORM gave the same key twice");
    }
  }
  Type type_;
};

class FilterKernel final : public ScalarKernel {
 public:
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody> lambdas) override {
    const ColumnPtr in = spread(arguments[0], frame.rows());
    const Elements elements = flatten(*in);
    const ColumnPtr flags = lambdas[0].apply(frame, elements.rows, elements.columns);
    std::vector<std::uint32_t> rows;
    std::vector<std::uint32_t> kept;
    for (std::uint32_t i = 0; i < elements.rows.size(); ++i) {
      if (flags->is_null(i)) {
        frame.fail(elements.rows[i], "the condition of FILTER is NULL");
      } else if (flags->data.as<std::uint8_t>()[i] != 0) {
        rows.push_back(elements.rows[i]);
        kept.push_back(elements.indexes[i]);
      }
    }
    auto column = regroup(in->type, *in, rows);
    for (const auto& child : in->children) column->children.push_back(gather(*child, kept));
    return column;
  }
};

/// Hash of a text as Java computes it, spread over the low bits as its hash maps do.
std::uint32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  for (const char16_t unit : utf16::widen(text)) hash = hash * 31 + unit;
  return hash ^ hash >> 16;
}

/// The places of the entries of a map in the order that a Java hash map sized for them has: what REDUCE sees.
std::vector<std::uint32_t> reduce_order(const Column& in) {
  std::vector<std::uint32_t> order(in.children[0]->size);
  std::iota(order.begin(), order.end(), 0U);
  if (in.type.kind() != TypeKind::map || in.type.key().kind() != TypeKind::string) return order;
  const auto* offsets = in.data.as<std::uint32_t>();
  const auto* keys = in.children[0]->data.as<std::string_view>();
  for (std::size_t row = 0; row < in.size; ++row) {
    const std::uint32_t size = offsets[row + 1] - offsets[row];
    const std::uint32_t mask = std::bit_ceil(size < 3 ? size + 1 : size * 4 / 3 + 1) - 1;
    std::stable_sort(
        order.begin() + offsets[row], order.begin() + offsets[row + 1],
        [&](std::uint32_t a, std::uint32_t b) { return (java_hash(keys[a]) & mask) < (java_hash(keys[b]) & mask); });
  }
  return order;
}

/// Folds all rows at once: step k takes the k-th element of every row that has one.
class ReduceKernel final : public ScalarKernel {
 public:
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody> lambdas) override {
    const ColumnPtr in = spread(arguments[0], frame.rows());
    ColumnPtr state = spread(arguments[1], frame.rows());
    if (state->type.is_null()) return make_null_column(lambdas[0].type(), frame.rows());
    const auto* offsets = in->data.as<std::uint32_t>();
    const std::vector<std::uint32_t> order = reduce_order(*in);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < in->size; ++row)
      if (!in->is_null(row) && !state->is_null(row) && offsets[row] < offsets[row + 1]) rows.push_back(row);
    for (std::uint32_t step = 0; !rows.empty(); ++step) {
      state = fold(frame, lambdas[0], *in, order, rows, step, state);
      std::erase_if(rows, [&](std::uint32_t row) {
        return offsets[row] + step + 1 >= offsets[row + 1] || frame.failed().test(row);
      });
    }
    return state;
  }

 private:
  static ColumnPtr fold(Frame& frame, LambdaBody& lambda, const Column& in, std::span<const std::uint32_t> order,
                        std::span<const std::uint32_t> rows, std::uint32_t step, const ColumnPtr& state) {
    std::vector<std::uint32_t> indexes;
    for (const std::uint32_t row : rows) indexes.push_back(order[in.data.as<std::uint32_t>()[row] + step]);
    std::vector<ColumnPtr> arguments{gather(*state, rows)};
    for (const auto& child : in.children) arguments.push_back(gather(*child, indexes));
    const ColumnPtr next = lambda.apply(frame, rows, arguments);
    std::vector<Pick> picks(state->size);
    for (std::uint32_t row = 0; row < picks.size(); ++row) picks[row] = {0, row};
    for (std::uint32_t i = 0; i < rows.size(); ++i) picks[rows[i]] = {1, i};
    const Column* const sources[] = {state.get(), next.get()};
    return interleave(state->type, sources, picks);
  }
};

std::unique_ptr<ScalarKernel> make_transform(const CallTypes& types) {
  return std::make_unique<TransformKernel>(types.result);
}
std::unique_ptr<ScalarKernel> make_filter(const CallTypes&) {
  return std::make_unique<FilterKernel>();
}
std::unique_ptr<ScalarKernel> make_reduce(const CallTypes&) {
  return std::make_unique<ReduceKernel>();
}

FunctionDef lambda(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "LAMBDA", std::move(spec));
}

}  // namespace

FunctionFamily lambda_functions() {
  return {lambda({"FILTER",
                  "The elements for which a condition is true.",
                  {kernel("ARRAY<T> list, LAMBDA<T, BOOLEAN> condition -> ARRAY<T>", make_filter),
                   kernel("MAP<K, V> map, LAMBDA<K, V, BOOLEAN> condition -> MAP<K, V>", make_filter)},
                  {{"FILTER(ARRAY[1, 2, 3], x => x > 1)", "ARRAY[2, 3]"}}}),
          lambda({"REDUCE",
                  "All elements folded into one value, from the left.",
                  {kernel("ARRAY<T> list, S state, LAMBDA<S, T, S> step -> S", make_reduce),
                   kernel("MAP<K, V> map, S state, LAMBDA<S, K, V, S> step -> S", make_reduce)},
                  {{"REDUCE(ARRAY[1, 2], 0, (s, x) => s + x)", "3"}}}),
          lambda({"TRANSFORM",
                  "Every element replaced by what an expression makes of it.",
                  {kernel("ARRAY<T> list, LAMBDA<T, R> change -> ARRAY<R>", make_transform),
                   kernel("MAP<K, V> map, LAMBDA<K, V, L> key, LAMBDA<K, V, W> value -> MAP<L, W>", make_transform)},
                  {{"TRANSFORM(ARRAY[1, 2], x => x * 2)", "ARRAY[2, 4]"}}})};
}

}  // namespace millrace::inline exec
