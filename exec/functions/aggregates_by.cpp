#include <algorithm>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

/// BOOL_AND and BOOL_OR.
template <bool All>
struct TruthOps {
  struct State {
    std::int64_t yes, no;
  };
  using Input = FlatInput<std::uint8_t>;
  struct Arguments : Input {
    explicit Arguments(std::span<const ColumnPtr> arguments) : Input(*arguments[0]) {}
  };
  static constexpr bool kUndo = true;
  explicit TruthOps(const AggregateSpec&) {}

  static bool count(State& s, const Input& in, std::size_t row, std::int64_t by) {
    if (!in.is_null(row)) (in.values[row] != 0 ? s.yes : s.no) += by;
    return true;
  }
  bool add(State& s, const Input& in, std::size_t row) const { return count(s, in, row, 1); }
  bool remove(State& s, const Input& in, std::size_t row) const { return count(s, in, row, -1); }
  bool merge(State& into, const State& from) const {
    into.yes += from.yes;
    into.no += from.no;
    return true;
  }
  Error overflow() const { return Error{}; }
  void encode(const State& s, std::string& out) const {
    codec::put(s.yes, out);
    codec::put(s.no, out);
  }
  bool decode(std::string_view& in, State& s) const { return codec::get(in, s.yes) && codec::get(in, s.no); }
  void write(const State& s, Column& column, std::size_t row) const {
    column.values_mut<std::uint8_t>()[row] = (All ? s.no <= 0 : s.yes > 0) ? 1 : 0;
    if (s.yes <= 0 && s.no <= 0) column.nulls.set(row, column.size);
  }
};
/// With its input made of the arguments.
template <bool All>
struct TruthOfColumn : TruthOps<All> {
  using Input = typename TruthOps<All>::Arguments;
  using TruthOps<All>::TruthOps;
};

/// MIN_BY and MAX_BY: the value beside the least or greatest; of equal ones the first.
template <bool Greatest>
struct ByOps {
  struct Object {
    bool seen = false;
    Value value, by;
  };
  static constexpr bool kUndo = false;
  explicit ByOps(const AggregateSpec& spec) : value_type(spec.arguments[0]), by_type(spec.arguments[1]) {}
  Type value_type, by_type;

  static void take(Object& o, Value value, Value by) {
    const bool better = !o.seen || (Greatest ? compare(by, o.by) > 0 : compare(by, o.by) < 0);
    if (better) o = {true, std::move(value), std::move(by)};
  }
  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (arguments[1]->is_null(row)) return;
    take(o, millrace::get_value(*arguments[0], row), millrace::get_value(*arguments[1], row));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    if (from.seen) take(into, from.value, from.by);
  }
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.value) + heap::bytes(o.by); }
  void encode(const Object& o, std::string& out) const {
    codec::put(o.seen, out);
    if (!o.seen) return;
    codec::put_value(o.value, value_type, out);
    codec::put_value(o.by, by_type, out);
  }
  bool decode(std::string_view& in, Object& o) const {
    if (!codec::get(in, o.seen)) return false;
    return !o.seen || (codec::get_value(in, value_type, o.value) && codec::get_value(in, by_type, o.by));
  }
  Value result(const Object& o) const { return o.value; }
};

/// Texts with something between them, in the order in which they came.
struct StringAggOps {
  struct Object {
    std::vector<std::string> texts;
  };
  static constexpr bool kUndo = true;
  explicit StringAggOps(const AggregateSpec& spec) : separator(spec.constants[0].as<std::string>()) {}
  std::string separator;

  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (!arguments[0]->is_null(row)) o.texts.emplace_back(arguments[0]->data.as<std::string_view>()[row]);
  }
  void remove(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (arguments[0]->is_null(row)) return;
    const auto found = std::ranges::find(o.texts, arguments[0]->data.as<std::string_view>()[row]);
    if (found != o.texts.end()) o.texts.erase(found);
  }
  void merge(Object& into, const Object& from) const {
    into.texts.insert(into.texts.end(), from.texts.begin(), from.texts.end());
  }
  std::size_t heap_size(const Object& o) const { return heap::bytes(o.texts); }
  void encode(const Object& o, std::string& out) const {
    codec::put_unsigned(o.texts.size(), out);
    for (const std::string& text : o.texts) codec::put_text(text, out);
  }
  bool decode(std::string_view& in, Object& o) const {
    std::uint64_t count = 0;
    if (!codec::get_unsigned(in, count)) return false;
    for (; count > 0; --count) {
      std::string_view text;
      if (!codec::get_text(in, text)) return false;
      o.texts.emplace_back(text);
    }
    return true;
  }
  Value result(const Object& o) const {
    if (o.texts.empty()) return Value();
    std::string joined = o.texts.front();
    for (std::size_t i = 1; i < o.texts.size(); ++i) joined.append(separator).append(o.texts[i]);
    return Value(std::move(joined));
  }
};

template <bool All>
FunctionDef truth_def(std::string_view name, std::string_view doc, std::string_view example) {
  return aggregate_def({.name = name,
                        .doc = doc,
                        .variants = {aggregate("BOOLEAN value -> BOOLEAN", {.undo = true, .combines = true},
                                               fixed_aggregate<TruthOfColumn<All>>())},
                        .examples = {{std::string(name) + "(x)", std::string(example), {"ARRAY[true, NULL, false]"}}}});
}

template <bool Greatest>
FunctionDef by_def(std::string_view name, std::string_view doc, std::string_view example) {
  return aggregate_def(
      {.name = name,
       .doc = doc,
       .variants = {aggregate("T value, K by -> T", {.structured = true}, heap_aggregate<ByOps<Greatest>>())},
       .examples = {{std::string(name) + "(x, y)",
                     std::string(example),
                     {"ARRAY['a', 'b', 'c', 'd']", "ARRAY[2, 1, NULL, 2]"}}}});
}

}  // namespace

FunctionFamily by_aggregates() {
  return {
      truth_def<true>("BOOL_AND", "Whether all values that are not NULL are true; NULL when there are none.", "false"),
      truth_def<false>("BOOL_OR", "Whether a value is true; NULL when there are none that are not NULL.", "true"),
      by_def<false>("MIN_BY", "The value of the row with the least `by` that is not NULL; of equal ones the first.",
                    "'b'"),
      by_def<true>("MAX_BY", "The value of the row with the greatest `by` that is not NULL; of equal ones the first.",
                   "'a'"),
      aggregate_def({.name = "STRING_AGG",
                     .doc = "The texts that are not NULL in the order in which they came, with the separator between "
                            "them; NULL when there are none.",
                     .variants = {aggregate("STRING value, literal STRING separator -> STRING",
                                            {.undo = true, .structured = true}, heap_aggregate<StringAggOps>())},
                     .examples = {{"STRING_AGG(x, ', ')", "'b, a'", {"ARRAY['b', NULL, 'a']"}}}})};
}

}  // namespace millrace::inline exec
