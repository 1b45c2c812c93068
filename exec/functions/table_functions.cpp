#include <bit>

#include "exec/functions/declare.h"
#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

/// An ARRAY column without NULL whose row i is the elements `picks` between ends[i - 1] and ends[i].
std::shared_ptr<Column> list_column(const Type& element, std::size_t rows) {
  auto column = std::make_shared<Column>();
  column->type = Type::array(element);
  column->size = rows;
  column->data.resize((rows + 1) * sizeof(std::uint32_t));
  column->values_mut<std::uint32_t>()[0] = 0;
  return column;
}

class Explode final : public TableFunction {
 public:
  ColumnPtr apply(std::span<const ColumnPtr> arguments, std::size_t rows, RowErrors&) const override {
    const ColumnPtr& lists = arguments[0];
    if (lists->nulls.empty()) return lists;
    auto column = list_column(lists->type.element(), rows);
    const auto* offsets = lists->data.as<std::uint32_t>();
    std::vector<std::uint32_t> elements;
    for (std::size_t row = 0; row < rows; ++row) {
      if (!lists->is_null(row))
        for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) elements.push_back(i);
      column->values_mut<std::uint32_t>()[row + 1] = static_cast<std::uint32_t>(elements.size());
    }
    column->children.push_back(gather(*lists->children[0], elements));
    return column;
  }
};

/// Every way to replace elements by NULL; positions that are NULL already do not count twice.
class CubeExplode final : public TableFunction {
 public:
  static constexpr std::uint32_t kMaxItems = 20;

  ColumnPtr apply(std::span<const ColumnPtr> arguments, std::size_t rows, RowErrors& errors) const override {
    const Column& lists = *arguments[0];
    const auto* offsets = lists.data.as<std::uint32_t>();
    auto cube = list_column(lists.type, rows);
    std::vector<std::uint32_t> ends{0};
    std::vector<Pick> picks;
    for (std::size_t row = 0; row < rows; ++row) {
      if (!lists.is_null(row)) {
        if (offsets[row + 1] - offsets[row] > kMaxItems)
          errors.add(static_cast<std::uint32_t>(row), "CUBE_EXPLODE takes at most 20 elements");
        else
          add_combinations(lists, offsets[row], offsets[row + 1], ends, picks);
      }
      cube->values_mut<std::uint32_t>()[row + 1] = static_cast<std::uint32_t>(ends.size() - 1);
    }
    auto inner = list_column(lists.type.element(), ends.size() - 1);
    std::copy(ends.begin(), ends.end(), inner->values_mut<std::uint32_t>());
    const Column* const source = lists.children[0].get();
    inner->children.push_back(interleave(lists.type.element(), {&source, 1}, picks));
    cube->children.push_back(std::move(inner));
    return cube;
  }

 private:
  static void add_combinations(const Column& lists, std::uint32_t from, std::uint32_t to,
                               std::vector<std::uint32_t>& ends, std::vector<Pick>& picks) {
    std::vector<std::uint32_t> present;
    for (std::uint32_t i = from; i < to; ++i)
      if (!lists.children[0]->is_null(i)) present.push_back(i);
    const std::uint32_t combinations = std::uint32_t{1} << present.size();
    for (std::uint32_t mask = 0; mask < combinations; ++mask) {
      std::size_t bit = present.size();  // the first present element is the highest bit
      for (std::uint32_t i = from; i < to; ++i) {
        const bool keep = !lists.children[0]->is_null(i) && (mask >> --bit & 1) != 0;
        picks.push_back(keep ? Pick{0, i} : Pick{});
      }
      ends.push_back(static_cast<std::uint32_t>(picks.size()));
    }
  }
};

template <class F>
std::unique_ptr<TableFunction> make(const Type&) {
  return std::make_unique<F>();
}

}  // namespace

FunctionFamily table_functions() {
  return {
      define(FunctionKind::table, "TABLE",
             {.name = "CUBE_EXPLODE",
              .doc = "One row for every way to replace elements of the list by NULL.",
              .variants = {table("ARRAY<T> values -> ARRAY<T>", make<CubeExplode>)},
              .examples = {{"CUBE_EXPLODE(ARRAY[1, 2])",
                            "ARRAY[ARRAY[CAST(NULL AS INT), NULL], ARRAY[NULL, 2], ARRAY[1, NULL], ARRAY[1, 2]]"}}}),
      define(FunctionKind::table, "TABLE",
             {.name = "EXPLODE",
              .doc = "One row for every element of the list.",
              .variants = {table("ARRAY<T> values -> T", make<Explode>)},
              .examples = {{"EXPLODE(ARRAY[1, 2])", "ARRAY[1, 2]"}}})};
}

}  // namespace millrace::inline exec
